"""Rows that grow at their end, as float32 or rounded to less."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from adapters.cache.settings import Storage
from adapters.memory import Storages, storages
from adapters.products import array_products

Rows = NDArray[np.float32]

_DTYPES: dict[Storage, type[np.generic]] = {
    "float32": np.float32,
    "float16": np.float16,
    "int8": np.int8,
}
_ROOM = 0.5


class GrowingRows:
    """n rows of one width, with room behind them.

    Rows are unit vectors; ``int8`` makes the greatest component of each 127 and keeps its length.
    Adding is amortised O(width), removing O(width): the last row takes the place.
    """

    def __init__(self, width: int, storage: Storage, room: int = 0) -> None:
        self.storage = storage
        self._n = 0
        self._codes: NDArray[Any] = np.empty((room, width), _DTYPES[storage])
        self._scales: Rows = np.empty(room, np.float32)

    def __len__(self) -> int:
        return self._n

    def add(self, rows: Rows) -> None:
        """Add (m, width) rows behind the others."""
        needed = self._n + len(rows)
        if needed > len(self._codes):
            capacity = needed + int(_ROOM * self._n)
            self._codes = _grown(self._codes, self._n, capacity)
            self._scales = _grown(self._scales, self._n, capacity)
        new = slice(self._n, needed)
        if self.storage == "int8":
            steps = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / 127
            codes = np.rint(rows / steps)
            self._codes[new] = codes
            self._scales[new] = 1 / np.linalg.norm(codes, axis=1)
        else:
            self._codes[new] = rows
        self._n = needed

    def remove(self, at: int) -> None:
        """Remove one row; the last one takes its place."""
        self._n -= 1
        self._codes[at] = self._codes[self._n]
        self._scales[at] = self._scales[self._n]

    def read(self, at: slice = slice(None)) -> Rows:
        """(m, width) float32 rows, as they are stored."""
        codes = self._codes[: self._n][at]
        if self.storage == "float32":
            return codes
        rows: Rows = torch.from_numpy(codes).float().numpy()
        if self.storage == "int8":
            rows *= self._scales[: self._n][at][:, None]
        return rows

    def product(self, queries: Rows) -> Rows:
        """(n, q) inner products of the rows with (q, width) queries."""
        return array_products(queries, self.read()).T

    def storages(self) -> Storages:
        """What they hold in memory, the room behind them included."""
        return storages(self._codes, self._scales)


def _grown(held: NDArray[Any], n: int, capacity: int) -> NDArray[Any]:
    grown = np.empty((capacity, *held.shape[1:]), held.dtype)
    grown[:n] = held[:n]
    return grown
