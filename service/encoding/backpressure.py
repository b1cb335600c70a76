"""Backpressure: admission control of what waits for an encoder, and when to come again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Protocol

import prometheus_client

from service.encoding.fair_queue import Priority
from service.encoding.throughput import Throughput
from service.problems import Overloaded
from service.tenancy import tenant_of

REFUSED = prometheus_client.Counter(
    "handful_refused_requests", "Requests refused because too much waits.", ["lane"]
)

for each in Priority:
    REFUSED.labels(each)  # told from the start


class Backlog(Protocol):
    """A backlog: how much waits, by priority class, and the throughput that works it off."""

    @property
    def waiting(self) -> Mapping[Priority, int]:
        """Units of each priority class: images, or texts."""

    @property
    def throughput(self) -> Throughput:
        """Of the recent passes."""


class AdmissionControl:
    """Admission control: caps what was admitted and not yet answered, by priority class.

    However large, a request counts for a quarter of what may wait at most: not all of it is in
    work at a time, and it need not find everything empty. One classifier's requests cannot
    keep the others out: where a priority class is full, a classifier of which nothing waits is
    still let in, until twice as much waits; nor can one tenant's classifiers: a tenant of which
    nothing waits is let in until three times as much does. For the event loop's thread.

    Args:
        backlog: What they wait for.
        most: Units in each priority class.
        what: How a refusal calls the units.
        setting: Which one ``most`` is.
    """

    def __init__(
        self,
        backlog: Backlog,
        most: int,
        what: str = "images",
        setting: str = "HANDFUL_MAX_WAITING",
    ) -> None:
        self._backlog = backlog
        self._most = most
        self._what = what
        self._setting = setting
        self._held = {priority: Counter[str]() for priority in Priority}
        self._held_of = {priority: Counter[str]() for priority in Priority}  # of tenants

    def admit(self, amount: int, key: str, priority: Priority) -> None:
        """Count a request, until :meth:`release`.

        Raises:
            Overloaded: Too much waits; says when it should be less.
        """
        held, held_of, tenant = self._held[priority], self._held_of[priority], tenant_of(key)
        waiting = held_of.total()
        most = self._most * (1 if held[key] else 2 if held_of[tenant] else 3)
        weight = self._weight(amount)
        if waiting + weight > most:
            REFUSED.labels(priority).inc()
            raise self._refusal(priority)
        held[key] += weight
        held_of[tenant] += weight

    def release(self, amount: int, key: str, priority: Priority) -> None:
        """Forget a request that was admitted."""
        for held, name in (
            (self._held[priority], key),
            (self._held_of[priority], tenant_of(key)),
        ):
            held[name] -= self._weight(amount)
            if not held[name]:
                del held[name]

    def _weight(self, amount: int) -> int:
        return min(amount, max(1, self._most // 4))

    def _refusal(self, priority: Priority) -> Overloaded:
        waiting = self._backlog.waiting
        # Queries go first, so registrations wait for both.
        ahead = waiting[priority] if priority is Priority.QUERIES else sum(waiting.values())
        seconds = max(1, ceil(self._backlog.throughput.seconds(ahead)))
        return Overloaded(
            f"As many {self._what} wait as are admitted ({self._setting}). Send the request again "
            f"in {seconds} s.",
            headers={"retry-after": str(seconds)},
        )
