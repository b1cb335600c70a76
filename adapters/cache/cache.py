"""What every key-value cache can do, however it keeps its keys.

Tip-Adapter's cache (Zhang et al., ECCV 2022) has the support images' embeddings as keys and their
classes as values. A head asks it for two things: how the keys of each class vote on a query, and
which keys are nearest to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.cache.flat_rows import FlatRows
from adapters.cache.matches import Matches
from adapters.embeddings import ClassSet
from adapters.memory import Storages


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteEquation:
    """``α · exp(−β(1 − A)) diag(w) L``, and the logits of N classes that it becomes part of.

    L is balanced: its rows are ``mean shots / shots of the class`` (:func:`balance`), the papers'
    one-hot where classes have equally many images.

    Attributes:
        classes: The N classes.
        present: (N,) bool, the P of them that have keys.
        alpha: α.
        beta: β.
        shots: The mean shots that α is for.
        key_weights: (m,) w, in the order in which the keys came; ones if None.
        temperature: Of the probabilities.
        absent: What the classes without keys get beyond the mean of the others
            (:func:`adapters.heads.absent.fill_absent`).
    """

    classes: ClassSet
    present: Tensor
    alpha: float
    beta: float
    shots: float
    key_weights: Tensor | None = None
    temperature: float = 1.0
    absent: float = 0.0

    @property
    def labels(self) -> list[int]:
        """P identifiers of the classes that have keys, in the order of their columns."""
        labels: list[int] = self.classes.ids[self.present].tolist()
        return labels


class ClassVotes(ABC):
    """The votes of a cache's keys by class, under one equation: what can be known beforehand.

    Valid until the cache changes.
    """

    @abstractmethod
    def __call__(
        self, queries: Tensor, zero_shot: Tensor, beside: Tensor | None, k: int | None
    ) -> tuple[Tensor, Matches]:
        """Votes on n queries, none of which depends on the others, and the nearest keys.

        Args:
            queries: (n, width) unit vectors.
            zero_shot: (n, N) logits that the votes are added to; not changed. A cache that does
                not look at every key takes from them how exact the votes have to be.
            beside: (n, P) what the P classes with keys get apart from the votes; None: nothing.
            k: Keys to name for each query; all of them if None.

        Returns:
            (n, N) votes plus ``beside``, of which the columns of classes without keys may hold
            anything, and the ``k`` best matches of each query.
        """

    @abstractmethod
    def storages(self) -> Storages:
        """What they hold in memory beside the cache."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The n keys of a cache with what belongs to each.

    Attributes:
        ids: (n,) int64 identifiers.
        keys: (n, width) float32, as they are kept.
        labels: (n,) int64 values.
    """

    ids: Tensor
    keys: Tensor
    labels: Tensor


class Cache(ABC):
    """A key-value cache: support embeddings as keys, class labels as values.

    Incremental. Not safe for concurrent change: the owner serialises writers with readers.

    Attributes:
        width: Of the keys.
        flat: All keys in the order in which they came, and those that are gone, where they are
            kept so; who else reads these rows can share them (:meth:`extend`). None otherwise.
    """

    width: int
    flat: FlatRows | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Args:
            ids: (m,) int64 identifiers, none of them in the cache already.
            keys: (m, width) unit vectors.
            labels: (m,) int64 values.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
        """

    def extend(self, ids: Tensor, flat: FlatRows, labels: Tensor) -> None:
        """Add m keys that stand behind those of :attr:`flat` already, where others read them too.

        Copied where this cache does not keep its keys so.

        Args:
            ids: (m,) int64 identifiers, none of them in the cache already.
            flat: All rows from now on: those of :attr:`flat`, if any, and m more.
            labels: (m,) int64 values.

        Raises as :meth:`add`.
        """
        self.add(ids, flat.rows[len(flat) - len(ids) :], labels)

    @abstractmethod
    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """

    @abstractmethod
    def votes(self, equation: VoteEquation) -> ClassVotes:
        """How the present keys vote by class, to be asked for any number of queries."""

    @abstractmethod
    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None."""

    @abstractmethod
    def entries(self) -> Entries:
        """All that is in it, in any order; keys are copied where they are not kept so."""

    @abstractmethod
    def storages(self) -> Storages:
        """What it holds in memory."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds, those included that it shares with others."""
        return sum(self.storages().values())


def balance(columns: Tensor, n_classes: int, shots: float) -> Tensor:
    """(N,) what a vote for each class counts: ``mean shots / shots of the class``.

    Args:
        columns: (n,) int64 column of each key's class.
        n_classes: N.
        shots: The mean shots that α is for.
    """
    return balanced(torch.bincount(columns, minlength=n_classes), shots)


def balanced(counts: Tensor, shots: float) -> Tensor:
    """(N,) what a vote for each class counts, given the (N,) int64 counts of their keys."""
    return shots / counts.clamp(min=1)


def check_shapes(width: int, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
    """See that there is one key and one label for each identifier.

    Raises:
        ValueError: Shapes do not agree.
    """
    if keys.shape != (len(ids), width) or labels.shape != ids.shape:
        raise ValueError(
            f"expected {len(ids)} keys of width {width} with as many labels, "
            f"got keys {tuple(keys.shape)} and labels {tuple(labels.shape)}"
        )
