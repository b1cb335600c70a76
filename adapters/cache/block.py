"""The keys of one class, and what is known of them without looking at each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.cache.growing_rows import GrowingRows, Rows
from adapters.cache.settings import Storage
from adapters.memory import Storages, storages

# Share of the keys that may be new since the greatest eigenvalue was last computed.
_NEW = 1 / 16


class ClassBlock:
    """Keys of one class with their sum and a bound on their scatter, both kept up to date.

    Args:
        width: Of the keys.
        storage: Of the keys.
        room: How many keys to make room for.

    Attributes:
        sum: (width,) float64, of the keys as they are stored.
    """

    def __init__(self, width: int, storage: Storage, room: int = 0) -> None:
        self._rows = GrowingRows(width, storage, room)
        self._numbers = np.empty(room, np.int64)
        self.sum = np.zeros(width)
        self._scatter = 0.0
        self._new = 0  # keys whose scatter is bounded by their distances from the mean

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(n,) the number of each key, in the order of the rows."""
        return self._numbers[: len(self)]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(width,) the mean of the keys."""
        return self.sum / max(len(self), 1)

    def add(self, numbers: NDArray[np.int64], keys: Rows) -> None:
        """Add m keys behind the others; O(m · width)."""
        n, centre = len(self), self.mean
        self._rows.add(keys)
        if n + len(numbers) > len(self._numbers):
            self._numbers = np.resize(self._numbers, (n + len(numbers)) * 3 // 2)
        self._numbers[n : n + len(numbers)] = numbers
        stored = self._rows.read(slice(n, None))
        self.sum += stored.sum(axis=0, dtype=np.float64)
        # No matter around which centre: the scatter around the mean is the least of all.
        residuals = stored - centre
        self._scatter += float((residuals * residuals).sum())
        self._new += len(numbers)

    def remove(self, at: int) -> None:
        """Remove one row; the last one takes its place. O(width).

        What the others scatter is not more than before.
        """
        self.sum -= self.row(at)
        self._numbers[at] = self._numbers[len(self) - 1]
        self._rows.remove(at)

    def scatter(self) -> float:
        """At least ``Σ (s_j − s̄)²`` of the similarities with any unit vector.

        Computed anew, O(n · width · min(n, width)), where too many keys have come since.
        """
        if self._new > _NEW * len(self):
            self._scatter, self._new = _greatest_eigenvalue(self._rows.read(), self.mean), 0
        return self._scatter

    def product(self, queries: Rows) -> Rows:
        """(n, q) similarities of the keys with (q, width) queries."""
        return self._rows.product(queries)

    def rows(self) -> Rows:
        """(n, width) the keys, as they are stored."""
        return self._rows.read()

    def row(self, at: int) -> Rows:
        """(width,) one key, as it is stored."""
        row: Rows = self._rows.read(slice(at, at + 1))[0]
        return row

    def storages(self) -> Storages:
        """What it holds in memory."""
        return {**self._rows.storages(), **storages(self._numbers, self.sum)}


def _greatest_eigenvalue(rows: Rows, mean: NDArray[np.float64]) -> float:
    """At least that of RᵀR, R being rows less their mean: ``tr((RᵀR)⁴)^¼``, little more."""
    r = rows - mean.astype(np.float32)
    gram = r.T @ r if len(r) > r.shape[1] else r @ r.T
    squared = gram.T @ gram  # symmetric either way; so written, half of it is computed
    return float(np.sqrt(np.linalg.norm(squared))) * 1.001  # float32 rounding
