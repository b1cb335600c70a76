"""Rows that FAISS, NumPy and PyTorch read in one place, growing at their end."""

from __future__ import annotations

import threading
import weakref
from typing import Any, NoReturn

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.memory import Storages, storages

# Rows for which there is room at the least, and for how many times as many as there are.
_LEAST, _TIMES = 16, 2


class FlatRows:
    """(n, width) rows in the memory of a FAISS ``IndexFlatIP``; a value, as a tensor is.

    ``append`` gives a new value that begins with the same rows. Both share memory as long as it has
    room: nothing behind the rows of a value is part of it, and what is part of one is never
    written again. So a value may be kept, and read by other threads, while others grow.

    Amortised, appending m rows costs O(m · width): where there is no room, the rows are copied to
    where there is as much again, which belongs to the process, but to no page of memory before it
    is used. Of two values that continue the same one, the second is a copy, unless the first is
    gone. Rows on a GPU have no index, and are copied by each ``append``.

    Attributes:
        rows: (n, width) float32, contiguous. Not to be written. Valid for as long as it is held.
    """

    rows: Tensor

    def __init__(self, rows: Tensor, memory: _Memory | None) -> None:
        """Use :meth:`of`."""
        self.rows = rows
        self._memory = memory

    @staticmethod
    def of(rows: Tensor) -> FlatRows:
        """Adopt (n, width) rows: no copy of contiguous ones, which must not change any more.

        Of float32 or float64; FAISS has an index over float32 alone. Others become float32.
        """
        rows = rows.detach()
        held = rows if rows.dtype == torch.float64 else rows.float()
        return FlatRows(held.contiguous(), None)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Of a row."""
        return self.rows.shape[1]

    def append(self, more: Tensor) -> FlatRows:
        """These rows, and (m, width) more behind them; itself where m is 0.

        Raises:
            ValueError: Rows of another width.
        """
        if more.ndim != 2 or more.shape[1] != self.width:
            raise ValueError(f"expected rows of width {self.width}, got {tuple(more.shape)}")
        if len(more) == 0:
            return self
        more = more.detach().to(self.rows)
        if self.rows.device.type != "cpu":
            return FlatRows(torch.cat([self.rows, more]), None)
        if self._memory is not None:
            with self._memory.lock:
                if self._memory.has_room(len(self), len(more)):
                    return FlatRows(self._memory.write(len(self), more), self._memory)
        room = max(_TIMES * len(self), len(self) + len(more), _LEAST)
        memory = _Memory(room, self.rows)
        memory.write(0, self.rows)
        return FlatRows(memory.write(len(self), more), memory)

    @property
    def index(self) -> faiss.IndexFlatIP:
        """A FAISS index over the rows, in their own memory; it keeps them.

        Made in ten microseconds. It can be searched and read. It does not grow: what would change
        it raises ``TypeError``. A clone or a downcast of it keeps nothing alive, and must not
        outlive it.

        Raises:
            ValueError: The rows are on a GPU, or not float32.
        """
        return _index(self.rows)

    def storages(self) -> Storages:
        """The rows that are used: room behind them takes no memory yet."""
        return storages(self.rows)


class _Memory:
    """Room for rows, of which no tensor that somebody still holds is written again.

    Attributes:
        lock: To be held from asking for room until it is written.
    """

    def __init__(self, room: int, like: Tensor) -> None:
        self.lock = threading.Lock()
        # NumPy asks the system for it and touches nothing.
        self._all = np.empty((room, like.shape[1]), like.numpy().dtype)
        self._held: list[weakref.ref[NDArray[Any]]] = []

    def has_room(self, n: int, m: int) -> bool:
        """Whether m rows fit behind the first n, and nobody holds a tensor that goes beyond n."""
        held = (array() for array in self._held)
        free = all(array is None or len(array) <= n for array in held)
        return free and n + m <= len(self._all)

    def write(self, n: int, more: Tensor) -> Tensor:
        """(n + m, width) the first n rows with m behind them, in place."""
        end = n + len(more)
        self._all[n:end] = more.numpy()
        # A tensor holds the very array that it was made from, and every view of it the tensor's.
        array = self._all[:end]
        self._held = [one for one in self._held if one() is not None] + [weakref.ref(array)]
        return torch.from_numpy(array)


def _refused(*_: Any) -> NoReturn:
    raise TypeError("this index is a view of rows that do not change")


_CHANGING: Any = staticmethod(_refused)


class _FixedIndex(faiss.IndexFlatIP):
    """An index in memory that is not its own: FAISS would abort the process if it had to grow."""

    referenced_objects: list[Any]  # FAISS's own name for what a wrapper keeps alive

    add = add_c = add_ex = add_with_ids = add_with_ids_c = add_with_ids_ex = _CHANGING
    add_sa_codes = add_sa_codes_c = merge_from = permute_entries = permute_entries_c = _CHANGING
    remove_ids = remove_ids_c = reset = _CHANGING


def _index(rows: Tensor) -> faiss.IndexFlatIP:
    if rows.device.type != "cpu":
        raise ValueError("FAISS reads rows in the memory of the processor")
    if rows.dtype != torch.float32:
        raise ValueError("FAISS reads rows of float32")
    index = _FixedIndex(rows.shape[1])
    array = rows.numpy()
    if len(array):
        codes: Any = faiss.MaybeOwnedVectorUInt8
        bytes_ = faiss.swig_ptr(array.reshape(-1).view(np.uint8))
        # Nobody owns what is seen, as far as FAISS knows (the null pointer that an index begins
        # with): Python keeps it, by a reference to the tensor.
        index.codes = codes.create_view(bytes_, array.nbytes, index.codes.owner)
        index.ntotal = len(array)
    index.referenced_objects = [rows]
    return index
