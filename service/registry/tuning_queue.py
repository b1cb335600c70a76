"""The queue of classifiers whose tuning is behind: first in, first out, and each only once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from opentelemetry.trace import Link
from prometheus_client import Gauge

from service.telemetry.request_trace import link_to_current

WAITING = Gauge(
    "handful_waiting_tunings",
    "Classifiers whose tuning is behind.",
    multiprocess_mode="livesum",
)

# A try that was for nothing is followed by a pause of its own length, then of twice that, of four
# times: up to so many times, and so many seconds.
_MOST_DOUBLINGS = 5
_LONGEST_PAUSE = 30.0

Told = Callable[[], None]


@dataclass(slots=True)
class _Pause:
    """How often in a row a classifier was tuned for nothing, and until when it rests."""

    doublings: int
    until: float


class TuningQueue:
    """A coalescing queue of names. For any thread; only :meth:`take` waits.

    Its lock is held for microseconds, and nothing is called under it.

    Args:
        clock: Seconds that pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = Condition()
        self._due: dict[str, float] = {}  # in the order in which they were told of
        self._pauses: dict[str, _Pause] = {}
        self._running: str | None = None
        self._waiting: dict[str, list[Told]] = {}
        self._begun_by: dict[str, Link] = {}
        self._closed = False

    def tell(self, name: str, delay: float = 0.0) -> None:
        """A classifier's tuning is behind.

        Args:
            name: The classifier's. One that is in the queue already keeps its place.
            delay: Seconds until it is looked at; those of a pause after tries for nothing come on
                top.
        """
        link = link_to_current()
        with self._changed:
            if link is not None:
                self._begun_by[name] = link
            due = self._clock() + delay
            if (pause := self._pauses.get(name)) is not None:
                due = max(due, pause.until)
            self._due[name] = min(due, self._due.get(name, due))
            WAITING.set(len(self._due))
            self._changed.notify_all()

    def take(self, patience: float | None = None) -> str | None:
        """The next that is due, which is running from now on; None: closed, or out of patience.

        Args:
            patience: Seconds to wait for one; None: until there is one.
        """
        with self._changed:
            end = None if patience is None else self._clock() + patience
            while not self._closed:
                now = self._clock()
                name = next((name for name, due in self._due.items() if due <= now), None)
                if name is not None:
                    del self._due[name]
                    WAITING.set(len(self._due))
                    self._running = name
                    return name
                ends = [*self._due.values(), *([] if end is None else [end])]
                if end is not None and now >= end:
                    return None
                self._changed.wait(min(ends) - now if ends else None)
            return None

    def done(self, name: str, seconds: float, *, for_nothing: bool) -> None:
        """The one that was running is not any more.

        Args:
            name: Which.
            seconds: How long it was.
            for_nothing: Whether the classifier changed meanwhile: tuning it again waits for longer
                each time, so that a stream of changes does not take all of the share.
        """
        with self._changed:
            self._running = None
            if for_nothing:
                before = self._pauses.get(name)
                doublings = 0 if before is None else min(before.doublings + 1, _MOST_DOUBLINGS)
                pause = min(seconds * 2**doublings, _LONGEST_PAUSE)
                self._pauses[name] = _Pause(doublings, self._clock() + pause)
                if name in self._due:
                    self._due[name] = max(self._due[name], self._pauses[name].until)
            else:
                self._pauses.pop(name, None)
            settled = self._take_settled(name)
        for told in settled:
            told()

    def begun_by(self, name: str) -> Link | None:
        """The span that told of it last, which is forgotten; None: none that is traced."""
        with self._changed:
            return self._begun_by.pop(name, None)

    def running(self, name: str) -> bool:
        """Whether it is being tuned just now."""
        return self._running == name

    def pending(self, name: str) -> bool:
        """Whether it is being tuned, or waits for it."""
        with self._changed:
            return self._running == name or name in self._due

    @contextmanager
    def told_when_settled(self, name: str, told: Told) -> Iterator[None]:
        """Call ``told`` once it is not pending, from any thread; at once if it is not.

        At the end of the block it is forgotten, unless it is being called just then.
        """
        with self._changed:
            pending = not self._closed and (self._running == name or name in self._due)
            if pending:
                self._waiting.setdefault(name, []).append(told)
        if not pending:
            told()
        try:
            yield
        finally:
            with self._changed:
                if told in (waiting := self._waiting.get(name, [])):
                    waiting.remove(told)
                if not waiting:
                    self._waiting.pop(name, None)

    def close(self) -> None:
        """Let go of all that wait, for a classifier or to be told."""
        with self._changed:
            self._closed = True
            self._due.clear()
            WAITING.set(0)
            self._begun_by.clear()
            told = [one for waiting in self._waiting.values() for one in waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for one in told:
            one()

    def _take_settled(self, name: str) -> list[Told]:
        if name in self._due:
            return []
        return self._waiting.pop(name, [])
