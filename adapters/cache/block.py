"""The keys of one class, and what is known of them without looking at each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.cache.rows import GrowingRows, Rows
from adapters.cache.settings import Storage

# Share of the keys that may be new since the greatest eigenvalue was last computed.
_NEW = 1 / 16


class ClassBlock:
    """Keys of one class with their sum and a bound on their scatter, both kept up to date.

    Attributes:
        sum: (width,) float64, of the keys as they are stored.
    """

    def __init__(self, width: int, storage: Storage) -> None:
        self._rows = GrowingRows(width, storage)
        self._ids = np.empty(0, np.int64)
        self.sum = np.zeros(width)
        self._scatter = 0.0
        self._new = 0  # keys whose scatter is bounded by their distances from the mean

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,) identifiers of the keys."""
        return self._ids[: len(self)]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(width,) the mean of the keys."""
        return self.sum / max(len(self), 1)

    def add(self, ids: NDArray[np.int64], keys: Rows) -> None:
        """Add m keys; O(m · width)."""
        n, centre = len(self), self.mean
        self._rows.add(keys)
        if n + len(ids) > len(self._ids):
            self._ids = np.resize(self._ids, (n + len(ids)) * 3 // 2)
        self._ids[n : n + len(ids)] = ids
        stored = self._rows.read(slice(n, None))
        self.sum += stored.sum(axis=0, dtype=np.float64)
        # No matter around which centre: the scatter around the mean is the least of all.
        residuals = stored - centre
        self._scatter += float((residuals * residuals).sum())
        self._new += len(ids)

    def remove(self, key: int) -> None:
        """Remove one key; O(n + width). What the others scatter is not more than before."""
        at = int(np.flatnonzero(self.ids == key)[0])
        self.sum -= self._rows.read([at])[0]
        self._ids[at] = self._ids[len(self) - 1]
        self._rows.remove(at)

    def scatter(self) -> float:
        """At least ``Σ (s_j − s̄)²`` of the similarities with any unit vector.

        Computed anew, O(n · width · min(n, width)), where too many keys have come since.
        """
        if self._new > _NEW * len(self):
            self._scatter, self._new = _greatest_eigenvalue(self._rows.read() - self.mean), 0
        return self._scatter

    def product(self, queries: Rows) -> Rows:
        """(n, q) similarities of the keys with (q, width) queries."""
        return self._rows.product(queries)

    def row(self, key: int) -> Rows:
        """(width,) the key with an identifier."""
        row: Rows = self._rows.read([int(np.flatnonzero(self.ids == key)[0])])[0]
        return row


def _greatest_eigenvalue(rows: NDArray[np.float64]) -> float:
    """At least the greatest eigenvalue of RᵀR: ``tr((RᵀR)⁴)^¼``, which is little more."""
    r = rows.astype(np.float32)
    gram = r.T @ r if len(r) > r.shape[1] else r @ r.T
    squared = gram @ gram
    return float(np.sqrt(np.linalg.norm(squared))) * 1.001  # float32 rounding
