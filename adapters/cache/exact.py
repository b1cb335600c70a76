"""A cache that compares every query with every key, by one product."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from adapters.cache.cache import Cache, ClassVotes, VoteEquation, balance, check_shapes
from adapters.cache.matches import Matches
from adapters.memory import Storages, storages
from adapters.products import inner_products

# Room that a growing cache makes, as a share of what it holds.
_ROOM = 0.5


class KeyValueCache(Cache):
    """A key-value cache (Zhang et al., ECCV 2022) of which every key is compared.

    The keys that a cache is first given are not copied. Adding m more costs a copy of these m,
    amortised; removing costs a copy of what stays. Keys live on the device that they come from
    and are searched there.

    Attributes:
        width: Of the keys.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._n = 0
        self._keys = torch.empty(0, width)
        self._ids = torch.empty(0, dtype=torch.int64)
        self._labels = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._n

    @property
    def keys(self) -> Tensor:
        """(n, width) float32 keys, in the order in which they came."""
        return self._keys[: self._n]

    @property
    def ids(self) -> Tensor:
        """(n,) int64 identifiers of the keys."""
        return self._ids[: self._n]

    @property
    def labels(self) -> Tensor:
        """(n,) int64 values of the keys."""
        return self._labels[: self._n]

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
        if len(set(ids.tolist())) < len(ids) or bool(torch.isin(self.ids, ids).any()):
            raise ValueError("an identifier is already in the cache")
        keys = keys.detach().float().contiguous()
        if self._n == 0:
            self._keys, self._ids, self._labels = keys, ids, labels
        else:
            self._keys = _appended(self._keys, self._n, keys)
            self._ids = _appended(self._ids, self._n, ids)
            self._labels = _appended(self._labels, self._n, labels)
        self._n += len(ids)

    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        stay = ~torch.isin(self.ids, ids)
        missing = set(ids.tolist()) - set(self.ids[~stay].tolist())
        if missing:
            raise KeyError(f"not in the cache: {sorted(missing)}")
        self._keys = self.keys[stay]
        self._ids, self._labels = self.ids[stay], self.labels[stay]
        self._n = len(self._ids)

    def similarities(self, queries: Tensor) -> Tensor:
        """(n, len(self)) float32 inner products of (n, width) queries with every key.

        O(n · len(self) · width), and no key is moved: what bounds it is reading them.
        """
        return inner_products(queries.detach().to(self._keys.device).float(), self.keys)

    def votes(self, equation: VoteEquation) -> ClassVotes:
        """The sums of all keys' votes by class."""
        return _DenseVotes(self, equation)

    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None.

        Exact: one pass over all keys, O(n · len(self) · width).
        """
        if k == 0 or len(self) == 0 or len(queries) == 0:
            return Matches.none(len(queries))
        return Matches.best(self.similarities(queries), self.ids, self.labels, k)

    def storages(self) -> Storages:
        """The keys, as far as they are not copied those that it was given, and their labels."""
        return storages(self._keys, self._ids, self._labels)


class _DenseVotes(ClassVotes):
    """One product with all keys, for votes and matches alike."""

    def __init__(self, cache: KeyValueCache, equation: VoteEquation) -> None:
        self._cache, self._equation = cache, equation
        n_classes = len(equation.classes)
        self._columns = equation.classes.columns(cache.labels)
        self._weights = equation.alpha * balance(self._columns, n_classes, equation.shots)

    def __call__(
        self, queries: Tensor, zero_shot: Tensor, beside: Tensor | None, k: int | None
    ) -> tuple[Tensor, Matches]:
        cache, equation = self._cache, self._equation
        similarities = cache.similarities(queries)
        affinities = exponential(similarities, equation.beta)
        if equation.key_weights is not None:
            affinities = affinities * equation.key_weights
        votes = affinities.new_zeros(len(affinities), len(self._weights))
        votes.index_add_(1, self._columns, affinities)
        votes *= self._weights
        if beside is not None:
            votes[:, equation.present] += beside
        return votes, Matches.best(similarities, cache.ids, cache.labels, k)

    def storages(self) -> Storages:
        return storages(self._columns, self._weights)


def exponential(similarities: Tensor, beta: float) -> Tensor:
    """``exp(−β(1 − s))`` of similarities of any shape."""
    if similarities.device.type != "cpu":
        return (similarities - 1).mul_(beta).exp_()
    # PyTorch would wake its threads for this, in the way of those of the product.
    affinities = similarities.numpy() - 1
    affinities *= beta
    return torch.from_numpy(np.exp(affinities, out=affinities))


def _appended(held: Tensor, n: int, more: Tensor) -> Tensor:
    """A tensor that begins with the first n rows of ``held`` and with ``more``.

    ``held`` itself where it has room behind its n rows; otherwise a copy that has.
    """
    needed = n + len(more)
    if needed > len(held):
        grown = held.new_empty((needed + int(_ROOM * needed), *held.shape[1:]))
        grown[:n] = held[:n]
        held = grown
    held[n:needed] = more
    return held
