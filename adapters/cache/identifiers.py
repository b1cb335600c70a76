"""Where each of very many identifiers is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.memory import Storages, storages

Numbers = NDArray[np.int64]

# So many identifiers at once are sorted in; fewer are kept beside.
_MANY = 4096


class Identifiers:
    """Identifiers of any size, and for each the small number under which its key is kept.

    Those that came together in large numbers are sorted (16 bytes each; looking one up costs
    O(log n)), those that came since are in a dict.
    """

    def __init__(self) -> None:
        self._n = 0
        self._sorted = np.empty(0, np.int64)
        self._numbers = np.empty(0, np.int64)  # −1 where the identifier is gone
        self._since: dict[int, int] = {}

    def __len__(self) -> int:
        return self._n

    def find(self, ids: Numbers) -> Numbers:
        """(m,) the number of each identifier; −1 where there is none."""
        numbers = np.full(len(ids), -1, np.int64)
        if len(self._sorted):
            at, there = self._places(ids)
            numbers[there] = self._numbers[at[there]]
        if self._since:
            for i in np.flatnonzero(numbers < 0):
                numbers[i] = self._since.get(int(ids[i]), -1)
        return numbers

    def add(self, ids: Numbers, numbers: Numbers) -> None:
        """Add m identifiers, distinct and none of them there already."""
        self._n += len(ids)
        if len(ids) >= _MANY:
            self._sort_in(ids, numbers)
        else:
            self._since.update(zip(ids.tolist(), numbers.tolist(), strict=True))

    def remove(self, ids: Numbers) -> None:
        """Remove m distinct identifiers, all of them there."""
        self._n -= len(ids)
        if len(self._sorted):
            at, there = self._places(ids)
            self._numbers[at[there]] = -1
        for i in ids.tolist():
            self._since.pop(i, None)

    def storages(self) -> Storages:
        """What it holds in memory, but for the dict."""
        return storages(self._sorted, self._numbers)

    def _places(self, ids: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """(m,) places among the sorted ones, and whether these are of the same identifiers."""
        at = np.searchsorted(self._sorted, ids).clip(max=len(self._sorted) - 1)
        return at, self._sorted[at] == ids

    def _sort_in(self, ids: Numbers, numbers: Numbers) -> None:
        kept = self._numbers >= 0
        since = np.fromiter(self._since.items(), np.dtype((np.int64, 2)), len(self._since))
        ids = np.concatenate([self._sorted[kept], since[:, 0], ids])
        numbers = np.concatenate([self._numbers[kept], since[:, 1], numbers])
        order = np.argsort(ids, kind="stable")
        self._sorted, self._numbers, self._since = ids[order], numbers[order], {}
