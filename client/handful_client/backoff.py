"""Back-off: whether a call that failed is tried again, and when.

Waits grow exponentially with full jitter (Brooker, *Exponential Backoff and Jitter*, AWS 2015), so
that clients which were refused together do not come back together. What the service says in
``Retry-After`` (RFC 9110, 10.2.3) is waited for in any case. The whole has an end: the patience of
the client.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from handful_client.errors import Problem

_FIRST = 0.5
_MOST = 8.0
# Of proxies (502) and of the service.
_PASSING = frozenset({429, 502, 503})
# Unavailable until somebody mends it.
_LASTING = frozenset({"other-backbone"})


def passes(problem: Problem) -> bool:
    """Whether a refusal is one that passes by itself."""
    if problem.status == 409:
        return problem.retry_after is not None
    if problem.status == 500:
        return problem.type == "about:blank"  # of Ray's proxy, whose replica has died
    return problem.status in _PASSING and problem.type not in _LASTING


def seconds_asked(header: str | None) -> float | None:
    """Seconds of a ``Retry-After``: a number of them, or a date; None without one."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


class Backoff:
    """The failures of one call.

    Args:
        patience: Seconds from now within which attempts begin.
        clock: Seconds, from anywhere.
        draw: A number between two.
    """

    def __init__(
        self,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._end = clock() + patience
        self._failures = 0

    def pause(self, asked: float | None = None) -> float | None:
        """Seconds to wait after a failure; None where the next attempt would come too late.

        Args:
            asked: What the service asks to wait at least.
        """
        longest = min(_MOST, _FIRST * 2.0**self._failures)
        self._failures += 1
        seconds = (asked or 0.0) + self._draw(0.0, longest)
        return seconds if self._clock() + seconds <= self._end else None
