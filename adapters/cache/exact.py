"""A cache that compares a query with every key, by one product on the memory of a FAISS index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adapters.cache.cache import Cache, ClassVotes, Entries, VoteEquation, balanced, check_shapes
from adapters.cache.flat_rows import FlatRows
from adapters.cache.matches import Matches
from adapters.embeddings import ClassSet
from adapters.memory import Storages, storages
from adapters.products import inner_products

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
    _columns: _Columns | None  # of the classes that were asked for last

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
        n = int(gone.count_nonzero())
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
        found = _products(queries, self.flat)
        return found if self._alive is None else found[:, self._alive]

    def votes(self, equation: VoteEquation) -> ClassVotes:
        """The sums of all keys' votes by class."""
        if self._columns is None or not self._columns.are_of(equation.classes):
            columns = torch.zeros_like(self._labels)
            at = slice(None) if self._alive is None else self._alive
            columns[at] = equation.classes.columns(self._labels[at])
            counts = torch.bincount(columns[at], minlength=len(equation.classes))
            self._columns = _Columns(equation.classes.ids, columns, counts)
        return _DenseVotes(self._positions(), self._columns, equation, self._alive)

    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None.

        Exact: one pass over all keys, O(n · len(self) · width).
        """
        if k == 0 or len(self) == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        return self._positions().best(_products(queries, self.flat), k)

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
        self._ids = torch.cat([self._ids, ids])
        self._labels = torch.cat([self._labels, labels])
        if self._alive is not None:
            self._alive = torch.cat([self._alive, torch.ones_like(ids, dtype=torch.bool)])
        if self._columns is not None:
            self._columns = self._columns.with_added(labels)

    def _living(self, rows: Tensor) -> Tensor:
        return rows if self._alive is None else rows[self._alive]

    def _positions(self) -> _Positions:
        return _Positions(self.flat, self._ids, self._labels, self._dead)

    def _find(self, ids: Tensor) -> Tensor:
        """(positions,) bool: which hold a living key with one of m identifiers."""
        if len(ids) > _FEW:
            found = torch.isin(self._ids, ids)
        else:
            found = torch.zeros_like(self._ids, dtype=torch.bool)
            for one in ids.tolist():
                found |= self._ids == one
        return found if self._alive is None else found & self._alive

    def _check_free(self, ids: Tensor) -> None:
        if len(set(ids.tolist())) < len(ids) or bool(self._find(ids).any()):
            raise ValueError("an identifier is already in the cache")


@dataclass(frozen=True, slots=True)
class _Positions:
    """Keys by position, some of them dead.

    Attributes:
        flat: The keys.
        ids: (positions,) int64 identifiers.
        labels: (positions,) int64 values.
        dead: (d,) int64 positions that hold no key any more.
    """

    flat: FlatRows
    ids: Tensor
    labels: Tensor
    dead: Tensor

    def best(self, similarities: Tensor, k: int | None) -> Matches:
        """The ``k`` best of (n, positions) similarities, which may be written over; all if None."""
        if len(self.dead):
            similarities[:, self.dead] = -torch.inf
            living = len(self.ids) - len(self.dead)
            k = living if k is None else min(k, living)
        return Matches.best(similarities, self.ids, self.labels, k)

    def storages(self) -> Storages:
        return self.flat.storages() | storages(self.ids, self.labels, self.dead)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where each key votes, for as long as the classes stay.

    Attributes:
        classes: (N,) int64 identifiers of the classes.
        columns: (positions,) int64 column of each key's class; any column for dead ones.
        counts: (N,) int64 keys a class.
    """

    classes: Tensor
    columns: Tensor
    counts: Tensor

    def are_of(self, classes: ClassSet) -> bool:
        return classes.ids is self.classes or torch.equal(classes.ids, self.classes)

    def with_added(self, labels: Tensor) -> _Columns | None:
        """With m keys behind the others; None if a class is new."""
        try:
            columns = ClassSet(self.classes, None).columns(labels)
        except KeyError:
            return None
        counts = self.counts.index_add(0, columns, torch.ones_like(columns))
        return _Columns(self.classes, torch.cat([self.columns, columns]), counts)

    def without(self, gone: Tensor) -> _Columns:
        """Without the keys of which ``gone``, (positions,) bool, says so."""
        fewer = torch.bincount(self.columns[gone], minlength=len(self.counts))
        return _Columns(self.classes, self.columns, self.counts - fewer)

    def storages(self) -> Storages:
        return storages(self.classes, self.columns, self.counts)


class _DenseVotes(ClassVotes):
    """One product with all keys, for votes and matches alike."""

    def __init__(
        self,
        positions: _Positions,
        columns: _Columns,
        equation: VoteEquation,
        alive: Tensor | None,
    ) -> None:
        self._positions, self._columns, self._equation = positions, columns, equation
        self._weights = equation.alpha * balanced(columns.counts, equation.shots)
        self._key_weights = equation.key_weights
        if equation.key_weights is not None and alive is not None:
            self._key_weights = equation.key_weights.new_zeros(len(alive))
            self._key_weights[alive] = equation.key_weights

    def __call__(
        self, queries: Tensor, zero_shot: Tensor, beside: Tensor | None, k: int | None
    ) -> tuple[Tensor, Matches]:
        positions, equation = self._positions, self._equation
        similarities = _products(queries, positions.flat)
        affinities = exponential(similarities, equation.beta)
        if len(positions.dead):
            affinities[:, positions.dead] = 0
        if self._key_weights is not None:
            affinities = affinities * self._key_weights
        votes = affinities.new_zeros(len(affinities), len(self._weights))
        votes.index_add_(1, self._columns.columns, affinities)
        votes *= self._weights
        if beside is not None:
            votes[:, equation.present] += beside
        return votes, positions.best(similarities, k)

    def storages(self) -> Storages:
        held = self._positions.storages() | self._columns.storages()
        return held | storages(self._weights, self._key_weights)


def exponential(similarities: Tensor, beta: float) -> Tensor:
    """``exp(−β(1 − s))`` of similarities of any shape."""
    if similarities.device.type != "cpu":
        return (similarities - 1).mul_(beta).exp_()
    # PyTorch would wake its threads for this, in the way of those of the product.
    affinities = similarities.numpy() - 1
    affinities *= beta
    return torch.from_numpy(np.exp(affinities, out=affinities))


def _products(queries: Tensor, flat: FlatRows) -> Tensor:
    """(n, positions) products, in memory of their own."""
    return inner_products(queries.detach().to(flat.rows.device).float(), flat.rows)
