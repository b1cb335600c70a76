"""Those who were turned away: a queue outside, of who has been told when to come again."""

from __future__ import annotations

from collections import Counter
from math import floor

#: Seconds that nobody is told to stay away for longer than.
LONGEST = 30


class TurnedAway:
    """Units of requests that were refused, until the moment that each was told to come again.

    Who is refused is told to come when all that wait, and all that were refused before and have not
    come yet, can have been answered: so they come one after the other, and not all at once. Tenants
    take turns, so that one of which little was refused does not come after all of another's.
    Entries are of whole seconds; every operation costs O(:data:`LONGEST`) at most, but for the
    first in a second: that for each tenant.
    """

    def __init__(self) -> None:
        self._due: dict[str, Counter[int]] = {}  # units of tenants, by the second they come in
        self._second = 0
        self._total = 0

    def add(self, units: int, tenant: str, seconds: int, now: float) -> None:
        """Count a request that was told to come again in so many seconds."""
        self._forget(now)
        self._due.setdefault(tenant, Counter())[floor(now + seconds)] += units
        self._total += units

    def units(self, now: float) -> int:
        """How many have not been told to be back by now."""
        self._forget(now)
        return self._total

    def before(self, tenant: str, now: float) -> int:
        """How many of those come before another one of a tenant, where tenants take turns."""
        self._forget(now)
        own = self._due.get(tenant, Counter()).total()
        return min(self._total, own * len(self._due))

    def includes(self, tenant: str, now: float) -> bool:
        """Whether a tenant is among those."""
        self._forget(now)
        return tenant in self._due

    def _forget(self, now: float) -> None:
        if floor(now) == self._second:
            return
        self._second = floor(now)
        for tenant, due in list(self._due.items()):
            for second in [second for second in due if second < self._second]:
                self._total -= due.pop(second)
            if not due:
                del self._due[tenant]
