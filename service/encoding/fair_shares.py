"""Fair shares: who may hold more of what there is too little of."""

from __future__ import annotations

from collections import Counter

from service.tenancy import tenant_of


class FairShares:
    """Max-min fairness (Bertsekas and Gallager 1992, 6.5.2) over what is held, tenant by tenant.

    Whoever comes is let in while there is room. Where there is none, a tenant is let in that holds
    less than its share, which is the same for all that hold something; one of which nothing is held
    always has some. So is a classifier of which nothing is held. A request counts for a
    quarter at most, however large: not all of it is in work at a time, and it need not find
    everything empty.

    At most six times ``most`` is held, and by one tenant twice. Costs O(1) while there is room,
    and O(tenants that hold something) where there is none. Not thread-safe.

    Args:
        most: Units that all hold together, if they are let in only while there is room.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._of_key = Counter[str]()
        self._of_tenant = Counter[str]()

    def admits(self, amount: int, key: str) -> bool:
        """Whether a request for a qualified name may hold so many units more."""
        weight = self._weight(amount)
        if self.held + weight <= self.most:
            return True
        tenant = tenant_of(key)
        mine = self._of_tenant[tenant]
        share = self.most // len(self._of_tenant.keys() | {tenant})
        if not mine or mine + weight <= share:
            # Others keep no tenant from its share by what they hold beyond theirs, which they may
            # have from a burst that was let in whole.
            return weight + self._held(max(share, self.most // 4)) <= 3 * self.most
        held = weight + self._held(2 * self.most)
        return not self._of_key[key] and held <= 2 * self.most

    def add(self, amount: int, key: str) -> None:
        """Count a request, until :meth:`remove`."""
        weight = self._weight(amount)
        self.held += weight
        self._of_key[key] += weight
        self._of_tenant[tenant_of(key)] += weight

    def remove(self, amount: int, key: str) -> None:
        """Forget a request that was counted."""
        weight = self._weight(amount)
        self.held -= weight
        for held, name in ((self._of_key, key), (self._of_tenant, tenant_of(key))):
            held[name] -= weight
            if not held[name]:
                del held[name]

    def _held(self, at_most: int) -> int:
        """Units of all tenants, of each so many at most."""
        return sum(min(each, at_most) for each in self._of_tenant.values())

    def _weight(self, amount: int) -> int:
        return min(amount, max(1, self.most // 4))
