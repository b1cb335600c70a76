"""A queue that takes turns between classifiers, and lets queries go before registrations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

# Of this many items that are taken while both lanes wait, one is a registration's.
SHARE = 4


class Lane(StrEnum):
    """What images are sent for: an answer that someone waits for, or a support set."""

    QUERIES = "queries"
    REGISTRATIONS = "registrations"


class FairQueue(Generic[T]):
    """Items in two lanes; within each, keys take turns and a key's items keep their order.

    An item waits at most for one item of each other key of its lane, however many those have.
    Every operation costs O(1) an item. Not thread-safe.
    """

    def __init__(self) -> None:
        self._lanes = {lane: _Turns[T]() for lane in Lane}
        self._ahead = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def put(self, item: T, key: str, lane: Lane) -> None:
        """Add an item, which is not in the queue, behind the others of its key."""
        self._lanes[lane].put(item, key)

    def discard(self, item: T, key: str, lane: Lane) -> bool:
        """Take an item out; returns whether it was in the queue."""
        return self._lanes[lane].discard(item, key)

    def waiting(self, lane: Lane) -> int:
        """How many items of a lane wait."""
        return len(self._lanes[lane])

    def take(self, most: int, *, registrations: bool = True) -> list[T]:
        """Take those whose turn it is, ``most`` of them or fewer; none if none waits.

        While queries wait they are not held up by filling places with registrations, which get
        one place in ``SHARE`` and all of them whenever no query waits.

        Args:
            most: One or more.
            registrations: Whether any of them may be taken.
        """
        queries, others = self._lanes[Lane.QUERIES], self._lanes[Lane.REGISTRATIONS]
        if not queries:
            self._ahead = 0
            return [others.take() for _ in range(min(most, len(others) * registrations))]
        taken: list[T] = []
        while len(taken) < most and queries:
            if others and registrations and self._ahead >= SHARE - 1:
                taken.append(others.take())
                self._ahead = 0
            else:
                taken.append(queries.take())
                self._ahead = self._ahead + 1 if others else 0
        return taken


class _Turns(Generic[T]):
    """The items of one lane."""

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
