"""placeholder"""

from __future__ import annotations

from torch import Tensor

from adapters.memory import Storages, storages


class FlatRows:
    def __init__(self, held: Tensor, n: int, used: list[int]) -> None:
        self._held, self._n, self._used = held, n, used

    @classmethod
    def of(cls, rows: Tensor) -> FlatRows:
        return cls(rows, len(rows), [len(rows)])

    def __len__(self) -> int:
        return self._n

    @property
    def width(self) -> int:
        return self._held.shape[1]

    @property
    def rows(self) -> Tensor:
        return self._held[: self._n]

    def append(self, rows: Tensor) -> FlatRows:
        n = self._n + len(rows)
        if self._used[0] != self._n or n > len(self._held):
            held = self._held.new_empty(2 * n, self.width)
            held[: self._n] = self.rows
            used = [n]
        else:
            held, used = self._held, self._used
        held[self._n : n] = rows
        used[0] = n
        return FlatRows(held, n, used)

    def storages(self) -> Storages:
        return storages(self._held)
