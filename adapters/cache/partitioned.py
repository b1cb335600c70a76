"""A cache of so many keys that a query cannot be compared with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.cache.block import ClassBlock
from adapters.cache.certificate import GREATEST, Array, vote_bounds
from adapters.cache.exact import check_shapes
from adapters.cache.matches import Matches
from adapters.cache.neighbours import ERROR, Neighbours
from adapters.cache.rows import Rows
from adapters.cache.settings import Storage
from adapters.products import array_products

# Keys that are looked up for a query: the more, the tighter the bounds on all others. Of those
# that are asked for, several times as many are looked up, to be ranked exactly.
_FOUND, _SPARE = 128, 4


@dataclass(frozen=True, slots=True)
class Found:
    """What an approximate search of n queries found, best first.

    Attributes:
        similarities: (n, k) to :data:`adapters.cache.neighbours.ERROR`.
        ids: (n, k) identifiers; −1 where there are no more.
    """

    similarities: Rows
    ids: NDArray[np.int64]


class PartitionedCache:
    """Keys by class, with what bounds the votes of a class, and an index of all of them.

    Votes are exact, by a product with the keys of a class, or bounded, by the class's mean.
    The nearest keys are looked up in an inverted file: approximate, with similarities that are
    exact for the keys as they are stored.

    Adding and removing one key cost microseconds that do not grow with their number, apart from
    making room. Not safe for concurrent change.

    Args:
        storage: float32; or float16 or int8, which rounds the keys.
        ids: (n,) int64 identifiers to begin with; the index is laid out for them.
        keys: (n, width) unit vectors.
        labels: (n,) int64 values.
    """

    def __init__(self, storage: Storage, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        self.width = width = keys.shape[1]
        self._storage = storage
        self._labels: dict[int, int] = {}
        # Classes in the order in which they came, and what is known of each, beside one another
        # for one product with a query.
        self._places: dict[int, int] = {}
        self._blocks: list[ClassBlock] = []
        self._means: Rows = np.empty((0, width), np.float32)
        self._counts = np.empty(0)
        self._scatter = np.empty(0)  # NaN until it is asked for
        self._insert(ids, keys, labels)
        self._neighbours = Neighbours(ids.numpy(), _rows(keys))

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """
        self._insert(ids, keys, labels)
        if len(ids):
            self._neighbours.add(ids.numpy(), _rows(keys))

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        gone = list(dict.fromkeys(ids.tolist()))
        missing = [i for i in gone if i not in self._labels]
        if missing:
            raise KeyError(f"not in the cache: {missing}")
        for i in gone:
            label = self._labels.pop(i)
            self._block(label).remove(i)
            self._note(label)
        if gone:
            self._neighbours.remove(np.array(gone, np.int64))

    def places(self, labels: Sequence[int]) -> NDArray[np.int64]:
        """(N,) where each of N classes that have keys stands in what :meth:`bounds` returns."""
        return np.array([self._places[label] for label in labels], np.int64)

    def bounds(self, query: Rows, beta: float, caps: float | Array) -> tuple[Array, Array]:
        """Bounds of the votes of all classes for a (width,) query, in the order of ``places``.

        O(number of classes · width).

        Args:
            query: Unit vector.
            beta: β.
            caps: At least every similarity; one for all classes, or for each.
        """
        n = len(self._blocks)
        for place in np.flatnonzero(np.isnan(self._scatter[:n])):
            self._scatter[place] = self._blocks[place].scatter()
        means = array_products(query[None], self._means[:n])[0].astype(float)
        return vote_bounds(self._counts[:n], means, self._scatter[:n], beta, caps)

    def votes(self, label: int, queries: Rows, beta: float) -> Array:
        """(n,) exact votes ``Σ exp(−β(1 − s))`` of the keys of one class for n queries."""
        affinity = self._block(label).product(queries)
        affinity -= 1
        affinity *= beta
        summed: Array = np.exp(affinity, out=affinity).sum(axis=0, dtype=float)
        return summed

    def count(self, label: int) -> int:
        """How many keys a class has."""
        return len(self._block(label))

    def find(self, queries: Rows, k: int = 0) -> Found:
        """Look up the keys nearest to (n, width) queries, at least ``k`` and some more."""
        return Found(
            *self._neighbours.search(queries, min(max(_FOUND, _SPARE * k), max(len(self), 1)))
        )

    def caps(self, found: Found, row: int) -> Array:
        """What no similarity of each class with one query is over, in the order of ``places``.

        A key that was found is as similar as it is, and every other less than the last of these:
        if the search has missed none.
        """
        similarities, ids = found.similarities[row] + ERROR, found.ids[row]
        if ids[-1] < 0:
            return np.full(len(self._blocks), GREATEST)
        caps = np.full(len(self._blocks), float(similarities[-1]))
        places = [self._places[self._labels[i]] for i in ids.tolist()]
        np.maximum.at(caps, places, similarities)
        return caps.clip(max=GREATEST)

    def search(self, queries: Tensor, k: int | None = None) -> Matches:
        """Return the ``k`` best matches of each query; all keys where ``k`` is None.

        Args:
            queries: (n, width) unit vectors.
            k: At most this many; never more than there are keys.

        Approximate; exact and O(n · len(self) · width) where ``k`` is None, and where the lists
        that are searched hold fewer than k.
        """
        rows = _rows(queries)
        return self._all(rows, k) if k is None else self.best(rows, self.find(rows, k), k)

    def best(self, queries: Rows, found: Found, k: int) -> Matches:
        """The ``k`` best of the keys that were found, by their exact similarities."""
        if k == 0 or len(self) == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        return Matches.concatenate(
            [
                self._ranked(query[None], ids[: _SPARE * k], min(k, len(self)))
                for query, ids in zip(queries, found.ids, strict=True)
            ]
        )

    def _ranked(self, query: Rows, ids: NDArray[np.int64], k: int) -> Matches:
        ids = ids[ids >= 0]
        if len(ids) < k:
            return self._all(query, k)
        labels = [self._labels[i] for i in ids.tolist()]
        keys = np.stack(
            [self._block(label).row(i) for i, label in zip(ids.tolist(), labels, strict=True)]
        )
        similarities = torch.from_numpy(query @ keys.T)
        return Matches.best(similarities, torch.from_numpy(ids), torch.tensor(labels), k)

    def _all(self, queries: Rows, k: int | None) -> Matches:
        labelled = list(zip(self._places, self._blocks, strict=True))
        return Matches.best(
            torch.from_numpy(np.concatenate([b.product(queries) for b in self._blocks]).T),
            torch.from_numpy(np.concatenate([block.ids for block in self._blocks])),
            torch.cat([torch.full((len(block),), label) for label, block in labelled]),
            k,
        )

    def _block(self, label: int) -> ClassBlock:
        return self._blocks[self._places[label]]

    def _insert(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        check_shapes(self.width, ids, keys, labels)
        new = dict(zip(ids.tolist(), labels.tolist(), strict=True))
        if len(new) < len(ids) or not self._labels.keys().isdisjoint(new):
            raise ValueError("an identifier is already in the cache")
        self._labels |= new
        order = np.argsort(labels.numpy(), kind="stable")
        classes, starts = np.unique(labels.numpy()[order], return_index=True)
        for label, rows in zip(classes.tolist(), np.split(order, starts[1:]), strict=False):
            if label not in self._places:
                self._places[label] = len(self._blocks)
                self._blocks.append(ClassBlock(self.width, self._storage))
            self._block(label).add(ids.numpy()[rows], _rows(keys[torch.from_numpy(rows)]))
            self._note(label)

    def _note(self, label: int) -> None:
        """Write down what is known of a class whose keys have changed."""
        place = self._places[label]
        if place >= len(self._means):
            room = 2 * place + 16
            self._means = np.resize(self._means, (room, self.width))
            self._counts = np.resize(self._counts, room)
            self._scatter = np.resize(self._scatter, room)
        block = self._blocks[place]
        self._means[place], self._counts[place] = block.mean, len(block)
        self._scatter[place] = np.nan


def _rows(rows: Tensor) -> Rows:
    return np.ascontiguousarray(rows.detach().cpu().numpy(), dtype=np.float32)
