"""A cache of so many keys that a query cannot be compared with each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from adapters.cache.block import ClassBlock
from adapters.cache.cache import Cache, ClassVotes, VoteEquation
from adapters.cache.certificate import GREATEST, Array, vote_bounds
from adapters.cache.contested_votes import ContestedVotes, as_rows
from adapters.cache.entries import Entries, check_shapes
from adapters.cache.growing_rows import Rows
from adapters.cache.identifiers import Numbers
from adapters.cache.inverted_file import ERROR, Candidates, InvertedFile
from adapters.cache.key_directory import KeyDirectory
from adapters.cache.matches import Matches
from adapters.cache.settings import Storage
from adapters.memory import Storages, storages
from adapters.products import array_products

# Keys that are looked up for a query: the more, the tighter the bounds on all others. Of those
# that are asked for, several times as many are looked up, to be ranked exactly.
_FOUND, _SPARE = 128, 4
# Keys that are sorted by class at a time.
_CHUNK = 131_072


class PartitionedCache(Cache):
    """A key-value cache by class: what bounds each class's votes, and an index of all keys.

    Votes are exact, by a product with the keys of a class, or bounded, by the class's mean.
    The nearest keys are looked up in an inverted file: approximate, with similarities that are
    exact for the keys as they are stored.

    Adding and removing one key cost microseconds that do not grow with their number, apart from
    making room.

    Args:
        storage: float32; or float16 or int8, which rounds the keys.
        ids: (n,) int64 identifiers to begin with; the index is laid out for them.
        keys: (n, width) unit vectors.
        labels: (n,) int64 values.

    Raises:
        ValueError: Shapes do not agree, or an identifier is there twice.
    """

    def __init__(self, storage: Storage, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        self.width = width = keys.shape[1]
        self._storage = storage
        self._directory = KeyDirectory()
        # Classes in the order in which they came, and what is known of each, beside one another
        # for one product with a query.
        self._places: dict[int, int] = {}
        self._blocks: list[ClassBlock] = []
        self._means: Rows = np.empty((0, width), np.float32)
        self._labels = np.empty(0, np.int64)
        self._counts = np.empty(0)
        self._scatter = np.empty(0)
        self._stale: set[int] = set()  # places whose scatter has to be asked for
        classes, counts = np.unique(labels.numpy(), return_counts=True)
        for label, count in zip(classes.tolist(), counts.tolist(), strict=True):
            self._new_block(label, count)
        numbers = self._insert(ids, keys, labels)
        self._inverted_file = InvertedFile(numbers, as_rows(keys))
        self._refresh()

    def __len__(self) -> int:
        return len(self._directory)

    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """
        numbers = self._insert(ids, keys, labels)
        if len(ids):
            self._inverted_file.add(numbers, as_rows(keys))

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        numbers = self._directory.forget(np.array(list(dict.fromkeys(ids.tolist())), np.int64))
        for number in numbers.tolist():
            place, row = self._where(number)
            block = self._blocks[place]
            block.remove(row)
            if row < len(block):
                self._directory.rows[block.numbers[row]] = row
            self._note(place)
        if len(numbers):
            self._inverted_file.remove(numbers)

    def votes(self, equation: VoteEquation) -> ClassVotes:
        """Votes that are exact for the classes that matter and proved not to matter elsewhere."""
        return ContestedVotes(self, equation)

    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None.

        Approximate; exact and O(n · len(self) · width) where ``k`` is None, and where the lists
        that are searched hold fewer than k.
        """
        rows = as_rows(queries)
        return self.all(rows, k) if k is None else self.best(rows, self.find(rows, k), k)

    def entries(self) -> Entries:
        """All that is in it, by class."""
        numbers = self._numbers()
        return Entries(
            torch.from_numpy(self._directory.ids[numbers]),
            torch.from_numpy(np.concatenate([self._no_keys(), *(b.rows() for b in self._blocks)])),
            torch.from_numpy(self._labels[self._directory.places[numbers]]),
        )

    def keys_of(self, ids: Tensor) -> Tensor:
        """(m, width) the keys of m identifiers as they were given: whoever has these needs no copy.

        Costs microseconds a key.

        Raises:
            KeyError: An identifier is not in the cache.
            ValueError: Keys are rounded here.
        """
        if self._storage != "float32":
            raise ValueError(f"keys are rounded to {self._storage}")
        numbers = self._directory.numbers(ids.numpy())
        return torch.from_numpy(self._keys(numbers) if len(numbers) else self._no_keys())

    def storages(self) -> Storages:
        """Keys and what is known of each class; those of the inverted file are others."""
        held = {**self._directory.storages(), **self._inverted_file.storages()}
        for block in self._blocks:
            held |= block.storages()
        return held | storages(self._means, self._labels, self._counts, self._scatter)

    def places(self, labels: Sequence[int]) -> Numbers:
        """(N,) where each of N classes that have keys stands in what :meth:`bounds` returns.

        They stay where they are.
        """
        return np.array([self._places[label] for label in labels], np.int64)

    def bounds(self, queries: Rows, beta: float, caps: float | Array) -> tuple[Array, Array]:
        """Bounds of the votes of C classes for (n, width) queries, in the order of ``places``.

        O(n · C · width).

        Args:
            queries: Unit vectors.
            beta: β.
            caps: At least every similarity; one for all, or (n, C).

        Returns:
            (n, C) lower and (n, C) upper bounds.
        """
        self._refresh()
        n = len(self._blocks)
        means = array_products(queries, self._means[:n]).astype(float)
        return vote_bounds(self._counts[:n], means, self._scatter[:n], beta, caps)

    def class_votes(self, place: int, queries: Rows, beta: float) -> Array:
        """(n,) exact votes ``Σ exp(−β(1 − s))`` of the keys of one class for n queries."""
        affinity = self._blocks[place].product(queries)
        affinity -= 1
        affinity *= beta
        summed: Array = np.exp(affinity, out=affinity).sum(axis=0, dtype=float)
        return summed

    def counts(self, places: Numbers) -> Array:
        """(N,) how many keys classes have."""
        return self._counts[places]

    def find(self, queries: Rows, k: int = 0) -> Candidates:
        """Look up the keys nearest to (n, width) queries, at least ``k`` and some more."""
        enough = min(max(_FOUND, _SPARE * k), max(len(self), 1))
        return self._inverted_file.search(queries, enough)

    def caps(self, found: Candidates) -> Array:
        """(n, C) what no similarity of each class is over, in the order of ``places``.

        A key that was found is as similar as it is, and every other less than the last of these:
        if the search has missed none.
        """
        similarities = found.similarities.astype(float) + ERROR
        caps = np.repeat(similarities[:, -1:], len(self._blocks), axis=1)
        places = self._directory.places[found.numbers]
        np.maximum.at(caps, (np.arange(len(caps))[:, None], places), similarities)
        caps[found.numbers[:, -1] < 0] = GREATEST
        return caps.clip(max=GREATEST, out=caps)

    def best(self, queries: Rows, found: Candidates, k: int) -> Matches:
        """The ``k`` best of the keys that were found, by their exact similarities."""
        k = min(k, len(self))
        if k == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        spare = found.numbers[:, : _SPARE * k]
        if (spare[:, k - 1] < 0).any():
            return self.all(queries, k)
        similarities = np.full(spare.shape, -np.inf, np.float32)
        for i, query in enumerate(queries):
            numbers = spare[i, spare[i] >= 0]
            similarities[i, : len(numbers)] = self._keys(numbers) @ query
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        numbers = np.take_along_axis(spare, order, axis=1)
        return Matches(
            torch.from_numpy(np.take_along_axis(similarities, order, axis=1)),
            torch.from_numpy(self._directory.ids[numbers]),
            torch.from_numpy(self._labels[self._directory.places[numbers]]),
        )

    def all(self, queries: Rows, k: int | None = None) -> Matches:
        """The ``k`` best of all keys, or all of them sorted, by their exact similarities."""
        numbers = self._numbers()
        return Matches.best(
            torch.from_numpy(np.concatenate([b.product(queries) for b in self._blocks]).T),
            torch.from_numpy(self._directory.ids[numbers]),
            torch.from_numpy(self._labels[self._directory.places[numbers]]),
            k,
        )

    def _numbers(self) -> Numbers:
        """(n,) the number of every key, by class."""
        return np.concatenate([np.empty(0, np.int64), *(b.numbers for b in self._blocks)])

    def _no_keys(self) -> Rows:
        return np.empty((0, self.width), np.float32)

    def _keys(self, numbers: Numbers) -> Rows:
        """(m, width) the keys that have these numbers."""
        places, rows = self._directory.places[numbers], self._directory.rows[numbers]
        at = zip(places.tolist(), rows.tolist(), strict=True)
        return np.stack([self._blocks[place].row(row) for place, row in at])

    def _where(self, number: int) -> tuple[int, int]:
        return int(self._directory.places[number]), int(self._directory.rows[number])

    def _insert(self, ids: Tensor, keys: Tensor, labels: Tensor) -> Numbers:
        """Add keys to the blocks of their classes; returns the numbers that they were given."""
        check_shapes(self.width, ids, keys, labels)
        numbers = self._directory.new(ids.numpy())
        for start in range(0, len(ids), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            self._insert_chunk(numbers[chunk], as_rows(keys[chunk]), labels[chunk].numpy())
        return numbers

    def _insert_chunk(self, numbers: Numbers, keys: Rows, labels: Numbers) -> None:
        order = np.argsort(labels, kind="stable")
        classes, starts = np.unique(labels[order], return_index=True)
        for label, rows in zip(classes.tolist(), np.split(order, starts[1:]), strict=False):
            place = self._places.get(label)
            if place is None:
                place = self._new_block(label)
            block = self._blocks[place]
            self._directory.places[numbers[rows]] = place
            self._directory.rows[numbers[rows]] = len(block) + np.arange(len(rows))
            block.add(numbers[rows], keys[rows])
            self._note(place)

    def _new_block(self, label: int, room: int = 0) -> int:
        place = self._places[label] = len(self._blocks)
        self._blocks.append(ClassBlock(self.width, self._storage, room))
        if place >= len(self._means):
            room = 2 * place + 16
            self._means = np.resize(self._means, (room, self.width))
            self._labels = np.resize(self._labels, room)
            self._counts = np.resize(self._counts, room)
            self._scatter = np.resize(self._scatter, room)
        self._labels[place] = label
        return place

    def _note(self, place: int) -> None:
        """Write down what is known of a class whose keys have changed."""
        block = self._blocks[place]
        self._means[place], self._counts[place] = block.mean, len(block)
        self._stale.add(place)

    def _refresh(self) -> None:
        while self._stale:
            place = self._stale.pop()
            self._scatter[place] = self._blocks[place].scatter()
