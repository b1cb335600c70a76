"""Connection table of a process: its limits, and eviction of the longest silent connection."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol, Self

from service.settings import Settings

logger = logging.getLogger("handful")

# Files that a process has open besides its connections: database, logs, libraries, pipes.
_OTHER_FILES = 256


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take, and how many there may be.

    Attributes:
        connections: Most of them in one process.
        head_bytes: Of a request line with its header fields, and of what frames a body.
        head_seconds: From the connection, or the first byte of a request, to its whole head.
        idle_seconds: Between an answer and the next request.
        stall_seconds: That a body on its way, or an answer, may stand still.
        rate: Bytes a second of either that must move on average.
    """

    connections: int
    head_bytes: int
    head_seconds: float
    idle_seconds: float
    stall_seconds: float
    rate: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings, and no more connections than files may be open."""
        return cls(
            connections=_affordable(settings.max_connections),
            head_bytes=settings.max_head_bytes,
            head_seconds=settings.head_seconds,
            idle_seconds=settings.keep_alive_seconds,
            stall_seconds=settings.stall_seconds,
            rate=settings.min_bytes_per_second,
        )

    @property
    def period(self) -> float:
        """Seconds between two looks at all connections."""
        return min(1.0, min(self.head_seconds, self.idle_seconds, self.stall_seconds) / 4)


def _affordable(connections: int) -> int:
    """Raise the limit of open files (RLIMIT_NOFILE) as far as it goes, and stay within it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # an unlimited one, which the kernel does not give
            pass
    if soft == resource.RLIM_INFINITY:
        return connections
    affordable = max(1, soft - _OTHER_FILES)
    if affordable < connections:
        logger.warning(
            "%d connections at most, as only %d files may be open (ulimit -n); "
            "HANDFUL_MAX_CONNECTIONS says %d",
            affordable,
            soft,
            connections,
        )
    return min(connections, affordable)


class Connection(Protocol):
    """What is asked of a connection."""

    def check(self, now: float) -> None:
        """End it if it is too slow; ``now`` is the event loop's time."""

    def evict(self) -> None:
        """Make room for another."""

    def cut(self) -> None:
        """End it whatever it is at."""


class Connections:
    """Connection table of one process, with eviction; for its event loop's thread.

    Beyond the limit the one goes that has waited longest without a complete request: first those
    that have sent no complete head since they were opened or answered, then those whose body is on
    its way. So whoever opens many and says little shuts nobody out but himself. Slow ones are
    found by one timer for all of them, which costs a request nothing.

    Pickled empty, for the processes that uvicorn spawns.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.draining = False
        self._open: set[Connection] = set()
        # In the order in which they began to wait.
        self._silent: OrderedDict[Connection, None] = OrderedDict()
        self._sending: OrderedDict[Connection, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Connection) -> bool:
        """Count a connection, which says nothing yet, and make room for it.

        Returns:
            Whether it may stay: all others may be waiting for answers to complete requests.
        """
        self._open.add(connection)
        if len(self._open) > self.limits.connections:
            oldest = next(iter(self._silent or self._sending), None)
            if oldest is None:
                return False
            self.closed(oldest)
            oldest.evict()
        self._silent[connection] = None
        if self._timer is None:
            self._again()
        return True

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._silent.pop(connection, None)
        self._sending.pop(connection, None)

    def silent(self, connection: Connection) -> None:
        """It has been answered and may send another request."""
        self._sending.pop(connection, None)
        if connection in self._open:
            self._silent[connection] = None

    def sending(self, connection: Connection) -> None:
        """Its head is complete, its body is not."""
        self._silent.pop(connection, None)
        if connection in self._open:
            self._sending[connection] = None

    def answered(self, connection: Connection) -> None:
        """Its request is complete and is worked on."""
        self._silent.pop(connection, None)
        self._sending.pop(connection, None)

    def drain(self, seconds: float) -> None:
        """One more request each at most, and end those that are left in so many seconds."""
        self.draining = True
        asyncio.get_running_loop().call_later(seconds, self._cut)

    def _cut(self) -> None:
        if self._open:
            logger.warning("%d connections were cut off by the shutdown", len(self._open))
        for connection in list(self._open):
            connection.cut()

    def _again(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.limits.period, self._check)

    def _check(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.check(now)
        if self._open:
            self._again()
