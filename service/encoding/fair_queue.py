"""Fair queue: round-robin between tenants, then between classifiers, in priority classes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import StrEnum
from typing import Generic, TypeVar

from service.tenancy import tenant_of

T = TypeVar("T", bound=Hashable)

# Of this many items that are taken while lower classes wait, one is of those.
LOWER_SHARE = 4


class Priority(StrEnum):
    """Priority class of an item, the highest first.

    An answer that someone waits for, a support set, work that nobody waits for.
    """

    QUERIES = "queries"
    REGISTRATIONS = "registrations"
    JOBS = "jobs"


class FairQueue(Generic[T]):
    """A fair queue: priority classes, within each round-robin between keys.

    Keys are qualified names: tenants take turns, and within a tenant its keys. A key's items keep
    their order.

    When a tenant has its turn, the key has it that has waited longest; so an item waits at most for
    one item of each other key of its tenant, and for one of each other tenant at each of those
    turns, however many keys and items others have. Every operation costs O(1) an item. Not
    thread-safe.
    """

    def __init__(self) -> None:
        self._queues = {priority: _Tenants[T]() for priority in Priority}
        # How many have been taken of a class while lower ones waited.
        self._ahead = dict.fromkeys((Priority.QUERIES, Priority.REGISTRATIONS), 0)

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

    def take(self, most: int, *, background: bool = True) -> list[T]:
        """Take those whose turn it is, ``most`` of them or fewer; none if none waits.

        While queries wait they are not held up by filling places with others, which get
        one place in ``LOWER_SHARE`` and all of them whenever no query waits; so do jobs, of the
        places that registrations and jobs have together.

        Args:
            most: One or more.
            background: Whether any but queries may be taken.
        """
        queries = self._queues[Priority.QUERIES]
        others = self._others if background else 0
        if not queries:
            self._ahead[Priority.QUERIES] = 0
            return [self._take_other() for _ in range(min(most, others))]
        taken: list[T] = []
        while len(taken) < most and queries:
            if background and self._others and self._lower_is_due(Priority.QUERIES):
                taken.append(self._take_other())
            else:
                taken.append(self._take_of(Priority.QUERIES, lower_wait=self._others > 0))
        return taken

    @property
    def _others(self) -> int:
        return len(self) - len(self._queues[Priority.QUERIES])

    def _take_other(self) -> T:
        jobs = self._queues[Priority.JOBS]
        registrations = self._queues[Priority.REGISTRATIONS]
        if jobs and (not registrations or self._lower_is_due(Priority.REGISTRATIONS)):
            self._ahead[Priority.REGISTRATIONS] = 0
            return jobs.take()
        return self._take_of(Priority.REGISTRATIONS, lower_wait=len(jobs) > 0)

    def _lower_is_due(self, priority: Priority) -> bool:
        """Whether a class has had its share; counts anew then."""
        if self._ahead[priority] < LOWER_SHARE - 1:
            return False
        self._ahead[priority] = 0
        return True

    def _take_of(self, priority: Priority, *, lower_wait: bool) -> T:
        self._ahead[priority] = self._ahead[priority] + 1 if lower_wait else 0
        return self._queues[priority].take()


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
