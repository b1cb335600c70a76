"""Fetching: images that are given by URL, from hosts that are allowed, behind a guard (SSRF)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from service.fetching.errors import FetchError
from service.fetching.sources import Source

__all__ = ["FetchError", "Fetcher", "fetcher_of"]


class Fetcher(Protocol):
    """Fetches images; :class:`service.fetching.guarded.GuardedFetcher` is one."""

    async def fetch(self, url: str, seconds: float, took: Callable[[int], None]) -> bytes:
        """The body that a URL is answered with.

        Args:
            url: As a client has written it.
            seconds: Longest that all of it may take, waiting for others included.
            took: Told of bytes as they come, in a thread; may raise.

        Raises:
            FetchError: It cannot be fetched.

        Raises what ``took`` does.
        """
        ...


def fetcher_of(hosts: Sequence[str], most: int) -> Fetcher | None:
    """What fetches from these hosts; None where there are none.

    Args:
        hosts: As they are written in the settings.
        most: Bytes of an image.
    """
    if not hosts:
        return None
    from service.fetching.guarded import GuardedFetcher

    return GuardedFetcher([Source.read(host) for host in hosts], most)
