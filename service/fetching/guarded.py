"""Guarded fetcher: images from allowed hosts, and nothing from anywhere else (SSRF)."""

from __future__ import annotations

import asyncio
import io
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from time import monotonic

import anyio.to_thread
import httpcore2
import httpx2

from service.fetching.addresses import is_public
from service.fetching.errors import FetchError
from service.fetching.sources import PORTS, Source
from service.fetching.timed_connection import TimedBackend, left

# Threads of a process in which bytes are received: HTTP is parsed in Python.
_THREADS = 4

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, literally, as the system has them.

    Raises:
        OSError: There are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Asking:
    """What a request says beside its URL.

    Attributes:
        method: GET, or POST.
        accept: Media types that the answer may have.
        fields: More of its header fields.
        body: Its body.
    """

    method: str = "GET"
    accept: str = "image/*"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


_FOR_AN_IMAGE = Asking()


class GuardedFetcher:
    """Fetches images, each by one request: no redirect, no cookie, no proxy, no coding.

    A name is looked up once. All its addresses have to be public, and the connection goes to the
    first of them as it was checked, so that a name that means something else a moment later (DNS
    rebinding) makes no difference. TLS is checked against the name.

    Args:
        sources: Hosts that may be asked.
        most: Bytes of an image.
        resolve: Looks names up.
        may_connect: Whether an address may be connected to.
        certificates: Whom TLS trusts; None: whom the system trusts.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        most: int,
        *,
        resolve: Resolve = resolved,
        may_connect: Callable[[str], bool] = is_public,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._sources = sources
        self._most = most
        self._resolve = resolve
        self._may_connect = may_connect
        self._given = certificates
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def fetch(
        self,
        url: str,
        seconds: float,
        took: Callable[[int], None],
        asking: Asking = _FOR_AN_IMAGE,
    ) -> bytes:
        """The body that a URL is answered with.

        Args:
            url: As a client has written it.
            seconds: Longest that all of it may take, waiting for others included.
            took: Told of bytes as they come, in a thread; may raise.
            asking: What the request says beside it.

        Raises:
            FetchError: It cannot be fetched.

        Raises what ``took`` does.
        """
        deadline = monotonic() + seconds
        parsed, host, port = self._checked(url)
        try:
            async with asyncio.timeout(seconds):
                address = await self._address(host, port)
                return await anyio.to_thread.run_sync(
                    partial(self._received, parsed, address, deadline, took, asking),
                    limiter=self._threads,
                    abandon_on_cancel=True,
                )
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise FetchError(f"could not be fetched within {seconds:g} s") from error
        except httpcore2.ConnectError as error:
            raise FetchError("cannot be fetched: its host cannot be connected to") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise FetchError("cannot be fetched: its host breaks the answer off") from error

    def _checked(self, url: str) -> tuple[httpx2.URL, str, int]:
        """A URL in parts, of which the connection is made as well: there is no second reading."""
        try:
            parsed = httpx2.URL(url)
            host = parsed.raw_host.decode("ascii")
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise FetchError("is no URL that can be read") from error
        if parsed.scheme not in PORTS:
            raise FetchError("is no URL of https or http")
        if parsed.userinfo:
            raise FetchError("is a URL with a user's name, which is sent nowhere")
        port = parsed.port or PORTS[parsed.scheme]
        if not any(source.holds(parsed.scheme, host, port) for source in self._sources):
            raise FetchError(
                "is a URL of another scheme, host or port than the service fetches from"
                " (HANDFUL_FETCH_FROM)"
            )
        return parsed, host, port

    async def _address(self, host: str, port: int) -> str:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise FetchError("cannot be fetched: its host has no address") from error
        if not addresses or not all(map(self._may_connect, addresses)):
            raise FetchError("is not fetched: its host has an address that is not public")
        return addresses[0]

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context() if self._given is None else self._given

    def _received(
        self,
        url: httpx2.URL,
        address: str,
        deadline: float,
        took: Callable[[int], None],
        asking: Asking,
    ) -> bytes:
        target = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("host", url.netloc),
            ("accept", asking.accept),
            ("accept-encoding", "identity"),
            ("user-agent", "handful"),
            ("connection", "close"),
            *asking.fields,
        ]
        if asking.body:
            headers.append(("content-length", str(len(asking.body))))
        with (
            httpcore2.ConnectionPool(
                ssl_context=self._certificates if url.scheme == "https" else None,
                network_backend=TimedBackend(address, deadline),
                max_connections=1,
            ) as connections,
            connections.stream(
                asking.method, target, headers=headers, content=asking.body or None
            ) as answer,
        ):
            self._check(answer)
            body, size = io.BytesIO(), 0
            for piece in answer.iter_stream():
                size += len(piece)
                if size > self._most:
                    raise self._too_large()
                took(len(piece))
                left(deadline)
                body.write(piece)
        return body.getvalue()

    def _check(self, answer: httpcore2.Response) -> None:
        named = {name.lower(): value for name, value in answer.headers}
        if 300 <= answer.status < 400:
            raise FetchError(
                f"is answered with a redirect ({answer.status}), which is not followed",
                status=answer.status,
                location=named.get(b"location", b"").decode("latin-1"),
            )
        if answer.status != 200:
            raise FetchError(f"is answered with the status {answer.status}", status=answer.status)
        if named.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
            raise FetchError("is answered with a coded body, which was not asked for")
        length = named.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > self._most:
            raise self._too_large()

    def _too_large(self) -> FetchError:
        return FetchError(
            f"has more than {self._most} bytes, the most that are accepted"
            " (HANDFUL_MAX_IMAGE_BYTES)"
        )
