"""A cache that compares a query with every key, by one product on the memory of a FAISS index."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from adapters.cache.cache import Cache, ClassVotes, VoteEquation
from adapters.cache.dense_votes import Columns, DenseVotes, Positions, joined, products
from adapters.cache.entries import Entries, check_shapes
from adapters.cache.flat_rows import FlatRows
from adapters.cache.matches import Matches
from adapters.memory import Storages, storages

# Up to so many identifiers are compared with all one by one; more are sorted.
_FEW = 8
# Positions that may be dead before those that live move together.
_LEAST = 256


class KeyValueCache(Cache):
    """A key-value cache (Zhang et al., ECCV 2022) of which every key is compared.

    Keys stand in the order in which they came, in the memory of an ``IndexFlatIP``
    (:class:`FlatRows`). The keys that a cache is first given are not copied. Adding m more costs
    these m, amortised, and a copy of 16 bytes for each of n; removing keys moves none of them:
    they are dead, which means that they have no vote and are nearest to nothing. The next ``add``
    after most have died moves those that live together, O(n · width). Keys live on the device that
    they come from and are searched there; without an index on a GPU.

    What it holds is replaced, never written: a shallow copy (``copy.copy``) is another cache, which
    costs nothing, and votes remain those of the keys that they were asked for.

    Attributes:
        width: Of the keys.
        flat: (positions, width) all keys, with dead ones.
    """

    flat: FlatRows
    _ids: Tensor  # (positions,)
    _labels: Tensor  # (positions,)
    _alive: Tensor | None  # (positions,) bool; None: all
    _dead: Tensor  # (d,) positions
    _columns: Columns | None  # of the classes that were asked for last

    def __init__(self, width: int) -> None:
        self.width = width
        self._begin(FlatRows.of(torch.empty(0, width)), *torch.empty(2, 0, dtype=torch.int64))

    @staticmethod
    def of(ids: Tensor, keys: Tensor, labels: Tensor) -> KeyValueCache:
        """A cache of these keys, which are not copied; arguments and errors as of :meth:`add`."""
        cache = KeyValueCache(keys.shape[1])
        cache.add(ids, keys, labels)
        return cache

    def __len__(self) -> int:
        return len(self._ids) - len(self._dead)

    @property
    def keys(self) -> Tensor:
        """(n, width) float32 keys, in the order in which they came; a copy if some are dead."""
        return self._living(self.flat.rows)

    @property
    def ids(self) -> Tensor:
        """(n,) int64 identifiers of the keys."""
        return self._living(self._ids)

    @property
    def labels(self) -> Tensor:
        """(n,) int64 values of the keys."""
        return self._living(self._labels)

    @property
    def living(self) -> Tensor | None:
        """(positions,) bool: which of ``flat`` are keys; None if all are. Not to be written."""
        return self._alive

    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Args:
            ids: (m,) int64 identifiers, none of them in the cache already.
            keys: (m, width) unit vectors; kept as float32.
            labels: (m,) int64 values.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """
        check_shapes(self.width, ids, keys, labels)
        self._check_free(ids)
        if len(self) == 0:
            self._begin(FlatRows.of(keys.float()), ids, labels)
            return
        if len(self._dead) > max(len(self), _LEAST):
            self._begin(FlatRows.of(self.keys), self.ids, self.labels)
        self._append(ids, self.flat.append(keys), labels)

    def extend(self, ids: Tensor, flat: FlatRows, labels: Tensor) -> None:
        """Add keys without a copy, of float32; as :meth:`Cache.extend`."""
        if flat.rows.dtype != torch.float32:
            super().extend(ids, flat, labels)
            return
        check_shapes(self.width, ids, flat.rows[len(self.flat) :], labels)
        self._check_free(ids)
        self._append(ids, flat, labels)

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier; O(n) comparisons of identifiers, and no key is touched.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        gone, wanted = self._find(ids), set(ids.tolist())
        n = int(np.count_nonzero(gone.cpu().numpy()))
        if n < len(wanted):
            missing = wanted - set(self._ids[gone].tolist())
            raise KeyError(f"not in the cache: {sorted(missing)}")
        if n == 0:
            return
        self._alive = ~gone if self._alive is None else self._alive & ~gone
        self._dead = (~self._alive).nonzero().flatten()
        if self._columns is not None:
            self._columns = self._columns.without(gone)

    def similarities(self, queries: Tensor) -> Tensor:
        """(n, len(self)) float32 inner products of (n, width) queries with every key.

        O(n · len(self) · width), and no key is moved: what bounds it is reading them.
        """
        found = products(queries, self.flat)
        return found if self._alive is None else found[:, self._alive]

    def votes(self, equation: VoteEquation) -> ClassVotes:
        """The sums of all keys' votes by class."""
        if self._columns is None or not self._columns.are_of(equation.classes):
            columns = torch.zeros_like(self._labels)
            at = slice(None) if self._alive is None else self._alive
            columns[at] = equation.classes.columns(self._labels[at])
            counts = torch.bincount(columns[at], minlength=len(equation.classes))
            self._columns = Columns(equation.classes.ids, columns, counts)
        return DenseVotes(self._positions(), self._columns, equation, self._alive)

    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None.

        Exact: one pass over all keys, O(n · len(self) · width).
        """
        if k == 0 or len(self) == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        return self._positions().best(products(queries, self.flat), k)

    def entries(self) -> Entries:
        """All that is in it."""
        return Entries(self.ids, self.keys, self.labels)

    def storages(self) -> Storages:
        """The keys, as far as they are not copied those that it was given, and their labels."""
        of_columns = {} if self._columns is None else self._columns.storages()
        return self._positions().storages() | storages(self._alive) | of_columns

    def _begin(self, flat: FlatRows, ids: Tensor, labels: Tensor) -> None:
        self.flat, self._ids, self._labels = flat, ids, labels
        self._alive, self._dead, self._columns = None, ids[:0].clone(), None

    def _append(self, ids: Tensor, flat: FlatRows, labels: Tensor) -> None:
        self.flat = flat
        self._ids, self._labels = joined(self._ids, ids), joined(self._labels, labels)
        if self._alive is not None:
            self._alive = joined(self._alive, torch.ones_like(ids, dtype=torch.bool))
        if self._columns is not None:
            self._columns = self._columns.with_added(labels)

    def _living(self, rows: Tensor) -> Tensor:
        return rows if self._alive is None else rows[self._alive]

    def _positions(self) -> Positions:
        return Positions(self.flat, self._ids, self._labels, self._dead)

    def _find(self, ids: Tensor) -> Tensor:
        """(positions,) bool: which hold a living key with one of m identifiers."""
        found = _among(self._ids, ids)
        return found if self._alive is None else found & self._alive

    def _check_free(self, ids: Tensor) -> None:
        if len(set(ids.tolist())) < len(ids) or self._find(ids).cpu().numpy().any():
            raise ValueError("an identifier is already in the cache")


def _among(held: Tensor, ids: Tensor) -> Tensor:
    """(n,) bool: which of n identifiers are among m others."""
    if len(ids) > _FEW:
        return torch.isin(held, ids)
    if held.device.type == "cpu":  # without PyTorch's threads, as above
        array = held.numpy()
        every = [array == one for one in ids.tolist()] or [np.zeros(len(array), np.bool_)]
        return torch.from_numpy(np.logical_or.reduce(every))
    found = torch.zeros_like(held, dtype=torch.bool)
    for one in ids.tolist():
        found |= held == one
    return found
