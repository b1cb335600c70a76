"""The keys of a cache by number: which identifier each has, and where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.cache.identifiers import Identifiers, Numbers
from adapters.memory import Storages, storages

_ROOM = 0.5


class KeyDirectory:
    """Small numbers for keys, given again when a key is gone.

    Attributes:
        ids: (room,) identifier of each number.
        places: (room,) class of each, by the place of its block.
        rows: (room,) row of each in that block.
    """

    def __init__(self) -> None:
        self.ids = np.empty(0, np.int64)
        self.places = np.empty(0, np.int32)
        self.rows = np.empty(0, np.int32)
        self._known = Identifiers()
        self._given = 0  # numbers that were given so far
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._known)

    def new(self, ids: Numbers) -> Numbers:
        """(m,) numbers for m identifiers; amortised O(m), but for :class:`Identifiers`.

        Raises:
            ValueError: An identifier is taken, or there twice.
        """
        if (len(ids) > 1 and len(np.unique(ids)) < len(ids)) or (self._known.find(ids) >= 0).any():
            raise ValueError("an identifier is already in the cache")
        again = [self._free.pop() for _ in range(min(len(self._free), len(ids)))]
        fresh = len(ids) - len(again)
        numbers = np.concatenate(
            [np.array(again, np.int64), np.arange(self._given, self._given + fresh)]
        )
        self._given += fresh
        if self._given > len(self.ids):
            room = self._given + int(_ROOM * len(self.ids))
            self.ids, self.places, self.rows = (
                _grown(held, room) for held in (self.ids, self.places, self.rows)
            )
        self.ids[numbers] = ids
        self._known.add(ids, numbers)
        return numbers

    def numbers(self, ids: Numbers) -> Numbers:
        """(m,) the numbers that m identifiers have.

        Raises:
            KeyError: An identifier has none.
        """
        numbers = self._known.find(ids)
        if (numbers < 0).any():
            raise KeyError(f"not in the cache: {ids[numbers < 0].tolist()}")
        return numbers

    def forget(self, ids: Numbers) -> Numbers:
        """(m,) the numbers that m distinct identifiers had.

        Raises:
            KeyError: An identifier has none; nothing is forgotten then.
        """
        numbers = self.numbers(ids)
        self._known.remove(ids)
        self._free += numbers.tolist()
        return numbers

    def storages(self) -> Storages:
        """What it holds in memory, but for the dict of the latest identifiers."""
        return {**storages(self.ids, self.places, self.rows), **self._known.storages()}


def _grown(held: NDArray[Any], room: int) -> NDArray[Any]:
    grown = np.empty(room, held.dtype)
    grown[: len(held)] = held
    return grown
