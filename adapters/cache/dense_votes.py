"""The votes of keys that are all compared: one product, for votes and matches alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adapters.cache.cache import ClassVotes, VoteEquation, balanced
from adapters.cache.flat_rows import FlatRows
from adapters.cache.matches import Matches
from adapters.embeddings import ClassSet
from adapters.memory import Storages, storages
from adapters.products import inner_products


@dataclass(frozen=True, slots=True)
class Positions:
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
        """What they hold in memory."""
        return self.flat.storages() | storages(self.ids, self.labels, self.dead)


@dataclass(frozen=True, slots=True)
class Columns:
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
        """Whether they are columns of these classes, in this order."""
        return classes.ids is self.classes or torch.equal(classes.ids, self.classes)

    def with_added(self, labels: Tensor) -> Columns | None:
        """With m keys behind the others; None if a class is new."""
        try:
            columns = ClassSet(self.classes, None).columns(labels)
        except KeyError:
            return None
        counts = self.counts.index_add(0, columns, torch.ones_like(columns))
        return Columns(self.classes, joined(self.columns, columns), counts)

    def without(self, gone: Tensor) -> Columns:
        """Without the keys of which ``gone``, (positions,) bool, says so."""
        fewer = torch.bincount(self.columns[gone], minlength=len(self.counts))
        return Columns(self.classes, self.columns, self.counts - fewer)

    def storages(self) -> Storages:
        """What they hold in memory."""
        return storages(self.classes, self.columns, self.counts)


class DenseVotes(ClassVotes):
    """One product with all keys, for votes and matches alike.

    Args:
        positions: The keys, dead ones among them.
        columns: Of the equation's classes.
        equation: How they vote.
        alive: (positions,) bool; None: all.
    """

    def __init__(
        self,
        positions: Positions,
        columns: Columns,
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
        """Votes on n queries, and the nearest keys: see :class:`ClassVotes`."""
        positions, equation = self._positions, self._equation
        similarities = products(queries, positions.flat)
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
        """What they hold in memory, with what the cache holds."""
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


def joined(held: Tensor, more: Tensor) -> Tensor:
    """N rows and m more behind them, in memory of their own."""
    if held.device.type != "cpu":
        return torch.cat([held, more])
    return torch.from_numpy(np.concatenate([held.numpy(), more.numpy()]))


def products(queries: Tensor, flat: FlatRows) -> Tensor:
    """(n, positions) products, in memory of their own."""
    return inner_products(queries.detach().to(flat.rows.device).float(), flat.rows)
