"""Those who were turned away: a queue outside, of who has been told when to come again."""

from __future__ import annotations

from collections import Counter
from math import floor

#: Seconds that nobody is told to stay away for longer than.
LONGEST = 30


class TurnedAway:
    """Units of requests that were refused, until the moment that each was told to come again.

    Who is refused is told to come when all that wait, and all that were refused before and have not
    come yet, can have been answered: so they come one after the other, and not all at once.
    Entries are of whole seconds; every operation costs O(:data:`LONGEST`) at most.
    """

    def __init__(self) -> None:
        self._due = Counter[int]()  # units, by the second in which they come again
        self._until: dict[str, int] = {}  # of tenants

    def add(self, units: int, tenant: str, seconds: int, now: float) -> None:
        """Count a request that was told to come again in so many seconds."""
        due = floor(now + seconds)
        self._due[due] += units
        self._until[tenant] = max(due, self._until.get(tenant, due))

    def units(self, now: float) -> int:
        """How many have not been told to be back by now."""
        if not self._due:
            return 0
        for second in [second for second in self._due if second < floor(now)]:
            del self._due[second]
        if not self._due:
            self._until.clear()
        return self._due.total()

    def includes(self, tenant: str, now: float) -> bool:
        """Whether a tenant is among those."""
        return tenant in self._until and self._until[tenant] >= floor(now)
