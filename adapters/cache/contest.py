"""Which classes have to be looked at key by key before the answer is certain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.cache.certificate import GREATEST, Array, certified
from adapters.cache.partitioned import Found, PartitionedCache
from adapters.cache.rows import Rows

# Classes whose votes are counted at first; twice as many each time that the proof fails.
_FIRST = 4
# Share of the keys at which counting all votes is no dearer than going on.
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Contest:
    """What turns votes into logits of N classes: ``base + weight · votes``.

    The classes without keys get the mean over the others of ``beside + weight · votes``, plus
    ``absent`` (:func:`adapters.heads.absent.fill_absent`).

    Attributes:
        cache: The keys.
        labels: Of the P classes that have keys.
        columns: (P,) their columns among the N.
        weights: (P,) what a vote of each counts in its logit.
        beta: β.
        temperature: Of the probabilities.
        absent: Offset of the classes without keys.
    """

    cache: PartitionedCache
    labels: list[int]
    columns: NDArray[np.int64]
    weights: Array
    beta: float
    temperature: float
    absent: float

    def votes(
        self, queries: Rows, base: Array, beside: Array, found: Found | None = None
    ) -> tuple[Array, list[int]]:
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
            beside: (n, P) what the images add apart from the votes.
            found: The keys nearest to each query, which tighten the bounds of all others.

        Returns:
            (n, P) weighted votes, and how many keys each query was compared with.
        """
        weighted = np.empty((len(queries), len(self.labels)))
        looked_at = [len(self.cache)] * len(queries)
        dense = []
        for i, row in enumerate(zip(queries, base, beside, strict=True)):
            caps = GREATEST if found is None else self.cache.caps(found, i)
            proved = self._proved(*row, caps)
            if proved is None:
                dense.append(i)
            else:
                weighted[i], looked_at[i] = proved
        if dense:
            weighted[dense] = self._all(queries[dense])
        return weighted, looked_at

    def _proved(
        self, query: Rows, base: Array, beside: Array, caps: float | Array
    ) -> tuple[Array, int] | None:
        """As :meth:`votes`, for one query; None where nothing can be proved."""
        places = self.cache.places(self.labels)
        lower, upper = (
            self.weights * bound[places] for bound in self.cache.bounds(query, self.beta, caps)
        )
        ranked = np.argsort(-self._logits(upper, base, beside)[self.columns])
        looked_at, begin, end = 0, 0, _FIRST
        while looked_at < _MOST * len(self.cache):
            for i in ranked[begin:end]:
                exact = self.cache.votes(self.labels[i], query[None], self.beta)[0]
                lower[i] = upper[i] = self.weights[i] * exact
                looked_at += self.cache.count(self.labels[i])
            least, most = (self._logits(bound, base, beside) for bound in (lower, upper))
            if certified(least, most, self.temperature):
                return (lower + upper) / 2, looked_at
            begin, end = end, 2 * end
        return None

    def _all(self, queries: Rows) -> Array:
        """(n, P) weighted votes, all of them counted."""
        votes = [self.cache.votes(label, queries, self.beta) for label in self.labels]
        weighted: Array = np.stack(votes, axis=1) * self.weights
        return weighted

    def _logits(self, votes: Array, base: Array, beside: Array) -> Array:
        term = votes + beside
        logits: Array = base + (term.mean() + self.absent)
        logits[self.columns] = base[self.columns] + term
        return logits
