"""Backpressure: admission control of what waits for an encoder, and when to come again."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from time import monotonic
from typing import Protocol

import prometheus_client

from service.encoding.fair_queue import Priority
from service.encoding.fair_shares import FairShares
from service.encoding.throughput import Throughput
from service.encoding.turned_away import LONGEST, TurnedAway
from service.problems import Overloaded
from service.tenancy import tenant_of

REFUSED = prometheus_client.Counter(
    "handful_refused_requests", "Requests refused because too much waits.", ["lane"]
)

# The classes before each.
_HIGHER: Mapping[Priority, tuple[Priority, ...]] = {
    Priority.QUERIES: (),
    Priority.REGISTRATIONS: (Priority.QUERIES,),
    Priority.JOBS: (Priority.QUERIES, Priority.REGISTRATIONS),
}
# Those of which requests are admitted or refused; jobs are accepted, and rest.
_ADMITTED = _HIGHER[Priority.JOBS]

# Seconds of a burst beyond which whoever comes next is better told to come later.
_BEARABLE = 2.0

for each in _ADMITTED:
    REFUSED.labels(each)  # told from the start


class Backlog(Protocol):
    """A backlog: how much waits, by priority class, and the throughput that works it off."""

    @property
    def waiting(self) -> Mapping[Priority, int]:
        """Units of each priority class: images, or texts."""

    @property
    def throughput(self) -> Throughput:
        """Of the recent passes."""


class _Lane:
    """What is held in a priority class, by both of its limits, and who was refused."""

    def __init__(self, most: int, standing: int) -> None:
        self.burst = FairShares(most)
        self.standing = FairShares(standing)
        self.turned_away = TurnedAway()

    def shares(self, ahead: float, now: float) -> FairShares:
        """The limit that counts, where what waits takes so many seconds."""
        long = ahead > _BEARABLE or self.turned_away.units(now)
        return self.standing if long else self.burst


class AdmissionControl:
    """Admission control: caps what was admitted and not yet answered, by priority class.

    A burst is let in until ``most`` waits, or two seconds of passes. Once somebody had to be
    refused, more is asked than can be done, and a long queue would only make everybody wait (the
    standing queue of controlled delay; RFC 8289, section 3): until all who were refused have been
    told to come again, no more is admitted than ``standing``, which keeps the passes full. Who is
    admitted within either limit is a matter of :class:`FairShares`.

    While queries of a tenant are refused and others wait, so are its registrations; its jobs rest
    while either are (:meth:`sheds`). For the event loop's thread.

    Args:
        backlog: What they wait for.
        most: Units in each priority class.
        standing: The same, while somebody is refused; by default ``most``.
        what: How a refusal calls the units.
        setting: Which one ``most`` is.
    """

    def __init__(
        self,
        backlog: Backlog,
        most: int,
        standing: int | None = None,
        what: str = "images",
        setting: str = "HANDFUL_MAX_WAITING",
    ) -> None:
        self._backlog = backlog
        self._what = what
        self._setting = setting
        standing = most if standing is None else min(standing, most)
        self._lanes = {priority: _Lane(most, standing) for priority in _ADMITTED}

    def admit(self, amount: int, key: str, priority: Priority) -> None:
        """Count a request, until :meth:`release`.

        Raises:
            Overloaded: Too much waits; says when it should be less.
        """
        lane, now = self._lanes[priority], monotonic()
        ahead = self._backlog.throughput.seconds(self._backlog.waiting[priority])
        if self.sheds(key, priority) or not lane.shares(ahead, now).admits(amount, key):
            REFUSED.labels(priority).inc()
            raise self._refusal(amount, key, priority, now)
        for shares in (lane.burst, lane.standing):
            shares.add(amount, key)

    def release(self, amount: int, key: str, priority: Priority) -> None:
        """Forget a request that was admitted."""
        lane = self._lanes[priority]
        for shares in (lane.burst, lane.standing):
            shares.remove(amount, key)

    def sheds(self, key: str, priority: Priority) -> bool:
        """Whether requests of a tenant in a higher class are refused, while others wait."""
        now = monotonic()
        return any(
            lane.burst.held and lane.turned_away.includes(tenant_of(key), now)
            for lane in map(self._lanes.__getitem__, _HIGHER[priority])
        )

    def _refusal(self, amount: int, key: str, priority: Priority, now: float) -> Overloaded:
        # Queries go first, so registrations wait for both.
        lanes = (*_HIGHER[priority], priority)
        ahead = sum(self._backlog.waiting[lane] for lane in lanes)
        tenant = tenant_of(key)
        ahead += sum(self._lanes[lane].turned_away.before(tenant, now) for lane in lanes)
        seconds = min(LONGEST, max(1, ceil(self._backlog.throughput.seconds(ahead))))
        self._lanes[priority].turned_away.add(amount, tenant, seconds, now)
        return Overloaded(
            f"As many {self._what} wait as are admitted ({self._setting}). Send the request again "
            f"in {seconds} s.",
            headers={"retry-after": str(seconds)},
        )
