"""How much may wait for an encoder, and when to come again if it is too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Protocol

import prometheus_client

from service.encoding.fair_queue import Lane
from service.encoding.throughput import Pace
from service.problems import Overloaded

REFUSED = prometheus_client.Counter(
    "handful_refused_requests", "Requests refused because too much waits.", ["lane"]
)


class Work(Protocol):
    """What is under way: how much of it waits, by lane, and how quickly it is done."""

    @property
    def waiting(self) -> Mapping[Lane, int]:
        """Units of each lane: images, or texts."""

    @property
    def pace(self) -> Pace:
        """Of late."""


class Admission:
    """Counts what was admitted and not yet answered, images or texts, in each lane by itself.

    However large, a request counts for a quarter of what may wait at most: not all of it is in
    work at a time, and it need not find everything empty. One classifier's requests cannot
    keep the others out: where the lane is full, a classifier of which nothing waits is still let
    in, until twice as much waits. For the event loop's thread.

    Args:
        work: What they wait for.
        most: Units in each lane.
        what: How a refusal calls the units.
        setting: Which one ``most`` is.
    """

    def __init__(
        self, work: Work, most: int, what: str = "images", setting: str = "HANDFUL_MAX_WAITING"
    ) -> None:
        self._work = work
        self._most = most
        self._what = what
        self._setting = setting
        self._held = {lane: Counter[str]() for lane in Lane}

    def admit(self, amount: int, key: str, lane: Lane) -> None:
        """Count a request, until :meth:`leave`.

        Raises:
            Overloaded: Too much waits; says when it should be less.
        """
        held = self._held[lane]
        waiting = held.total()
        most = self._most if held[key] else 2 * self._most
        weight = self._weight(amount)
        if waiting + weight > most:
            REFUSED.labels(lane).inc()
            raise self._refusal(lane)
        held[key] += weight

    def leave(self, amount: int, key: str, lane: Lane) -> None:
        """Forget a request that was admitted."""
        held = self._held[lane]
        held[key] -= self._weight(amount)
        if not held[key]:
            del held[key]

    def _weight(self, amount: int) -> int:
        return min(amount, max(1, self._most // 4))

    def _refusal(self, lane: Lane) -> Overloaded:
        waiting = self._work.waiting
        # Queries go first, so registrations wait for both.
        ahead = waiting[lane] if lane is Lane.QUERIES else sum(waiting.values())
        seconds = max(1, ceil(self._work.pace.seconds(ahead)))
        return Overloaded(
            f"{ahead} {self._what} wait already, and no more are admitted ({self._setting}). Send "
            f"the request again in {seconds} s.",
            headers={"retry-after": str(seconds)},
        )
