"""Which classes have to be looked at key by key before the answer is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adapters.cache.cache import VoteEquation
from adapters.cache.certificate import GREATEST, Array, certified
from adapters.cache.growing_rows import Rows
from adapters.cache.identifiers import Numbers
from adapters.cache.inverted_file import Candidates
from adapters.memory import Storages, storages

# Classes whose votes are counted at first; twice as many each time that the proof fails.
_FIRST = 4
# Classes that are ranked at first: seldom are more asked for.
_RANKED = 64
# Share of the keys at which counting all votes is no dearer than going on.
_MOST = 0.5
# Queries whose bounds are held at a time.
_TOGETHER = 64


class ByClass(Protocol):
    """Keys by class, whose votes can be bounded (:class:`adapters.cache.PartitionedCache`)."""

    def __len__(self) -> int: ...

    def places(self, labels: Sequence[int]) -> Numbers:
        """(N,) where classes stand in what the other methods return."""

    def find(self, queries: Rows, k: int = 0) -> Candidates:
        """The keys nearest to each query, at least ``k`` and some more."""

    def counts(self, places: Numbers) -> Array:
        """(N,) how many keys classes have."""

    def caps(self, found: Candidates) -> Array:
        """(n, C) what no similarity of each class is over."""

    def bounds(self, queries: Rows, beta: float, caps: float | Array) -> tuple[Array, Array]:
        """(n, C) lower and upper bounds of the votes of each class."""

    def class_votes(self, place: int, queries: Rows, beta: float) -> Array:
        """(n,) exact votes of one class."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What turns votes into logits of N classes: ``base + weight · votes``.

    The classes without keys get the mean over the others of ``beside + weight · votes``, plus
    ``absent`` (:func:`adapters.heads.absent.fill_absent`).

    Attributes:
        cache: The keys.
        places: Where the P classes that have keys are in the cache.
        columns: (P,) their columns among the N, ascending.
        weights: (P,) what a vote of each counts in its logit.
        beta: β.
        temperature: Of the probabilities.
        absent: Offset of the classes without keys.
    """

    cache: ByClass
    places: Numbers
    columns: Numbers
    weights: Array
    beta: float
    temperature: float
    absent: float

    @classmethod
    def of(cls, cache: ByClass, equation: VoteEquation) -> Contest:
        """The contest of the classes of an equation."""
        places = cache.places(equation.labels)
        return cls(
            cache,
            places,
            equation.present.nonzero().flatten().numpy(),
            equation.alpha * equation.shots / cache.counts(places),
            equation.beta,
            equation.temperature,
            equation.absent,
        )

    def votes(
        self,
        queries: Rows,
        base: Array,
        beside: Array | None = None,
        found: Candidates | None = None,
    ) -> tuple[Array, Numbers]:
        """Weighted votes of the P classes for n queries; none depends on the others.

        They are exact for the classes that matter and within bounds for the others. The
        probabilities differ from those by exact votes alone by no more than
        :data:`adapters.cache.certificate.TOLERANCE`, and all classes that are more probable than
        that have the same ranking. Where this cannot be proved, all votes are exact.

        The proof takes from ``found`` that no key nearer than the last of these was missed. So
        it is as good as the recall of that search, or, without ``found``, holds by itself.

        Args:
            queries: (n, width) unit vectors.
            base: (n, N) the logits without images.
            beside: (n, P) what the images add apart from the votes; None: nothing.
            found: The keys nearest to each query, which tighten the bounds of all others.

        Returns:
            (n, P) weighted votes, and (n,) how many keys each query was compared with.
        """
        weighted = np.empty((len(queries), len(self.places)))
        looked_at = np.empty(len(queries), np.int64)
        for start in range(0, len(queries), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            weighted[some], looked_at[some] = self._votes(
                queries[some],
                base[some],
                None if beside is None else beside[some],
                GREATEST if found is None else self.cache.caps(found[some]),
            )
        return weighted, looked_at

    def _votes(
        self, queries: Rows, base: Array, beside: Array | None, caps: float | Array
    ) -> tuple[Array, Numbers]:
        lower, upper = (
            bound[:, self.places] * self.weights
            for bound in self.cache.bounds(queries, self.beta, caps)
        )
        counts = self.cache.counts(self.places)
        most = self._logits(upper, base, beside)
        promising = most if len(self.places) == base.shape[1] else most[:, self.columns]
        ranked = np.stack([_ranked(row, _RANKED) for row in promising])
        looked_at = np.zeros(len(queries), np.int64)
        left = np.arange(len(queries))
        begin, end = 0, _FIRST
        while len(left):
            if end > ranked.shape[1] and ranked.shape[1] < len(self.places):
                ranked = np.stack([_ranked(row, len(self.places)) for row in promising])
            chosen = ranked[left, begin:end]
            self._count(queries, left, chosen, lower, upper)
            looked_at[left] += counts[chosen].sum(axis=1).astype(np.int64)
            besides = None if beside is None else beside[left]
            least, most = (self._logits(b[left], base[left], besides) for b in (lower, upper))
            proved = [
                certified(*bounds, self.temperature) for bounds in zip(least, most, strict=True)
            ]
            left = left[~np.array(proved)]
            dear = looked_at[left] >= _MOST * len(self.cache)
            if dear.any():
                all_ = np.tile(np.arange(len(self.places)), (int(dear.sum()), 1))
                self._count(queries, left[dear], all_, lower, upper)
                looked_at[left[dear]], left = len(self.cache), left[~dear]
            begin, end = end, 2 * end
        return (lower + upper) / 2, looked_at

    def _count(
        self, queries: Rows, of: Numbers, chosen: Numbers, lower: Array, upper: Array
    ) -> None:
        """Put exact votes in the place of the bounds.

        Args:
            queries: (n, width) unit vectors.
            of: (m,) the queries that are asked about.
            chosen: (m, c) for each of them, the classes to count.
            lower: (n, P) lower bounds.
            upper: (n, P) upper bounds.
        """
        flat = chosen.ravel()
        order = np.argsort(flat, kind="stable")
        classes, rows = flat[order], of[order // chosen.shape[1]]
        for pairs in np.split(np.arange(len(flat)), np.flatnonzero(np.diff(classes)) + 1):
            i, asking = classes[pairs[0]], rows[pairs]
            exact = self.cache.class_votes(int(self.places[i]), queries[asking], self.beta)
            lower[asking, i] = upper[asking, i] = self.weights[i] * exact

    def storages(self) -> Storages:
        """What it holds in memory beside the cache."""
        return storages(self.places, self.columns, self.weights)

    def _logits(self, votes: Array, base: Array, beside: Array | None) -> Array:
        term = votes if beside is None else votes + beside
        if len(self.columns) == base.shape[1]:
            return base + term
        logits: Array = base + (term.mean(axis=1, keepdims=True) + self.absent)
        logits[:, self.columns] = base[:, self.columns] + term
        return logits


def _ranked(values: Array, n: int) -> Numbers:
    """(min(n, len(values)),) where the greatest values are, the greatest first."""
    if n >= len(values):
        return np.argsort(-values)
    greatest = np.argpartition(-values, n)[:n]
    return greatest[np.argsort(-values[greatest])]
