"""Fair queue: round-robin between tenants, then between classifiers, in two priority classes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import StrEnum
from typing import Generic, TypeVar

from service.tenancy import tenant_of

T = TypeVar("T", bound=Hashable)

# Of this many items that are taken while both classes wait, one is a registration's.
REGISTRATION_SHARE = 4


class Priority(StrEnum):
    """Priority class of an item: an answer that someone waits for, or a support set."""

    QUERIES = "queries"
    REGISTRATIONS = "registrations"


class FairQueue(Generic[T]):
    """A fair queue: two priority classes, within each round-robin between keys.

    Keys are qualified names: tenants take turns, and within a tenant its keys. A key's items keep
    their order.

    When a tenant has its turn, the key has it that has waited longest; so an item waits at most for
    one item of each other key of its tenant, and for one of each other tenant at each of those
    turns, however many keys and items others have. Every operation costs O(1) an item. Not
    thread-safe.
    """

    def __init__(self) -> None:
        self._queues = {priority: _Tenants[T]() for priority in Priority}
        self._ahead = 0

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, item: T, key: str, priority: Priority) -> None:
        """Add an item, which is not in the queue, behind the others of its key."""
        self._queues[priority].put(item, key)

    def discard(self, item: T, key: str, priority: Priority) -> bool:
        """Take an item out; returns whether it was in the queue."""
        return self._queues[priority].discard(item, key)

    def waiting(self, priority: Priority) -> int:
        """How many items of a priority class wait."""
        return len(self._queues[priority])

    def take(self, most: int, *, registrations: bool = True) -> list[T]:
        """Take those whose turn it is, ``most`` of them or fewer; none if none waits.

        While queries wait they are not held up by filling places with registrations, which get
        one place in ``REGISTRATION_SHARE`` and all of them whenever no query waits.

        Args:
            most: One or more.
            registrations: Whether any of them may be taken.
        """
        queries, others = self._queues[Priority.QUERIES], self._queues[Priority.REGISTRATIONS]
        if not queries:
            self._ahead = 0
            return [others.take() for _ in range(min(most, len(others) * registrations))]
        taken: list[T] = []
        while len(taken) < most and queries:
            if others and registrations and self._ahead >= REGISTRATION_SHARE - 1:
                taken.append(others.take())
                self._ahead = 0
            else:
                taken.append(queries.take())
                self._ahead = self._ahead + 1 if others else 0
        return taken


class _Tenants(Generic[T]):
    """Round-robin scheduling of one priority class: tenants take turns."""

    def __init__(self) -> None:
        # The first tenant has its turn next. One without items has no entry.
        self._tenants: OrderedDict[str, _RoundRobin[T]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, item: T, key: str) -> None:
        tenant = tenant_of(key)
        keys = self._tenants.get(tenant)
        if keys is None:
            keys = self._tenants[tenant] = _RoundRobin()
        keys.put(item, key)
        self._length += 1

    def take(self) -> T:
        tenant, keys = next(iter(self._tenants.items()))
        item = keys.take()
        self._length -= 1
        if keys:
            self._tenants.move_to_end(tenant)
        else:
            del self._tenants[tenant]
        return item

    def discard(self, item: T, key: str) -> bool:
        tenant = tenant_of(key)
        keys = self._tenants.get(tenant)
        if keys is None or not keys.discard(item, key):
            return False
        self._length -= 1
        if not keys:
            del self._tenants[tenant]
        return True


class _RoundRobin(Generic[T]):
    """Round-robin scheduling of one tenant: its keys take turns."""

    def __init__(self) -> None:
        # The first key has its turn next. A key without items has no entry.
        self._items: OrderedDict[str, OrderedDict[T, None]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, item: T, key: str) -> None:
        self._items.setdefault(key, OrderedDict())[item] = None
        self._length += 1

    def take(self) -> T:
        key, items = next(iter(self._items.items()))
        item, _ = items.popitem(last=False)
        self._length -= 1
        if items:
            self._items.move_to_end(key)
        else:
            del self._items[key]
        return item

    def discard(self, item: T, key: str) -> bool:
        items = self._items.get(key)
        if items is None or item not in items:
            return False
        del items[item]
        self._length -= 1
        if not items:
            del self._items[key]
        return True
