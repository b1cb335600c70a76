"""Generic cell rate algorithm (GCRA; ITU-T I.371): a token bucket that is one number.

The number is the theoretical arrival time (TAT): when the bucket is full again. A bucket that is
full has none, so what nobody uses takes no memory.

``limits`` (5.8), ``throttled-py`` (3.5) and ``pyrate-limiter`` (4.5) take 2 to 5 microseconds a
call in one process; across processes they need Redis, memcached or SQLite. What is missing there,
a number in shared memory, is all that this is (:mod:`service.quotas.shared_meters`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

# Numbers that a process keeps before it looks which of them are over.
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be taken from a bucket.

    Attributes:
        bucket: Which.
        amount: How much of it.
        per_second: How quickly it fills; it holds what comes in a second, and one at least.
    """

    bucket: str
    amount: float
    per_second: float

    @property
    def capacity(self) -> float:
        """What the bucket holds."""
        return max(1.0, self.per_second)


@dataclass(frozen=True, slots=True)
class Balance:
    """What a bucket has.

    Attributes:
        left: How much.
        wait: Seconds until it has what was asked for; 0: it was taken.
        more: Seconds until it has one more.
    """

    left: float
    wait: float
    more: float


class Meters(Protocol):
    """Buckets by their names."""

    def take(self, charges: Sequence[Charge]) -> list[Balance] | Awaitable[list[Balance]]:
        """Take all charges, or none where a bucket has not enough; never blocks for long.

        Returns:
            What each bucket has; to be waited for where the numbers are elsewhere.

        A bucket that is full gives more than it holds, and is waited for the longer: so no request
        is too large for ever.
        """


def spend(charge: Charge, full_at: float, now: float) -> tuple[Balance, float]:
    """What a bucket has before a charge, and when it is full again after it.

    Args:
        charge: What is to be taken.
        full_at: When the bucket is full again; any time in the past if it is.
        now: Of the same clock.
    """
    empties = max(full_at - now, 0.0)
    holds = charge.capacity / charge.per_second
    wait = empties + min(charge.amount, charge.capacity) / charge.per_second - holds
    if wait > 1e-9:
        after = empties
    else:
        wait = 0.0
        after = empties + charge.amount / charge.per_second
    left = max(0.0, (holds - after) * charge.per_second)
    more = max(0.0, after - holds + 1 / charge.per_second) if left < 1 else 0.0
    return Balance(left, wait, more), now + after


class ProcessMeters:
    """Buckets of one process. For one thread.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, charges: Sequence[Charge]) -> list[Balance]:
        """Take all charges, or none; as :meth:`Meters.take`."""
        now = self._clock()
        spent = [spend(one, self._full_at.get(one.bucket, now), now) for one in charges]
        if not any(balance.wait for balance, _ in spent):
            for charge, (_, full_at) in zip(charges, spent, strict=True):
                self._full_at[charge.bucket] = full_at
            if len(self._full_at) > _MOST:
                self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        return [balance for balance, _ in spent]
