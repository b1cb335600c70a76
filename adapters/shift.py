"""Covariate shift: whether recent queries look less familiar than the support images do.

What leave-one-out measures on a support set (accuracy, probabilities, prediction sets) holds for
queries that are like it. If they are, their conformal p-values of familiarity
(:meth:`adapters.tuning.left_out_scores.LeftOutScores.p_values`) are uniform; if they come from
elsewhere, or belong to no class, they are lower. Nothing but the support set and the queries is
needed to see that.

The statistic is that of Mann and Whitney (*On a Test of Whether one of Two Random Variables is
Stochastically Larger than the Other*, 1947), from the queries' p-values alone: their mean is
``U / (n · m)`` of m queries and n left-out images, ½ without a shift. Its variance is larger than
theirs, ``(n + m + 1) / (12 n m)``: queries of the same class are about as familiar as each other.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass

#: Queries that are looked back at, and the fewest that are judged.
WINDOW, LEAST = 256, 20
# Variance of a class's mean p-value over classes, on generic tasks of 5 to 60 classes and 2 to 16
# images each: 0.012 to 0.018 (benchmarks/shift.py).
CLASS_VARIANCE = 0.018
# Quantile of the normal distribution for a false alarm in a hundred, one-sided.
QUANTILE = 2.326
# However sure it is: queries that are hardly less familiar are no reason to distrust anything.
HIGHEST_MEAN = 0.4


@dataclass(frozen=True, slots=True)
class Shift:
    """What recent queries say of the support set.

    Attributes:
        queries: m, from ``LEAST`` to ``WINDOW``.
        mean_p_value: Of these; about ½ without a shift.
        detected: Whether they are less familiar than chance explains.
    """

    queries: int
    mean_p_value: float
    detected: bool


class RecentQueries:
    """The p-values and predicted classes of the most recent queries, in bounded memory.

    Not thread-safe. A query costs about a microsecond, and so does :meth:`shift`.

    Args:
        left_out: n, the left-out images that p-values are read off.
        classes: N, the classes that these are of.
    """

    def __init__(self, left_out: int, classes: int) -> None:
        self._left_out, self._classes = left_out, classes
        self._p_values, self._labels = array("d"), list[str]()
        self._oldest = 0  # once there are as many as are kept
        self._of_class: Counter[str] = Counter()
        self._sum = 0.0
        self._squares = 0  # of the numbers of queries by class

    def __len__(self) -> int:
        return len(self._p_values)

    def add(self, p_value: float, label: str) -> None:
        """Count one more query; forget the oldest beyond ``WINDOW``.

        Args:
            p_value: Of its familiarity, between 0 and 1.
            label: Of the class that it was taken for.
        """
        if len(self) < WINDOW:
            self._p_values.append(p_value)
            self._labels.append(label)
        else:
            at = self._oldest
            self._forget(self._p_values[at], self._labels[at])
            self._p_values[at], self._labels[at] = p_value, label
            self._oldest = (at + 1) % WINDOW
        self._sum += p_value
        self._squares += 2 * self._of_class[label] + 1
        self._of_class[label] += 1

    def shift(self) -> Shift | None:
        """What they say; None of fewer than ``LEAST``, or of left-out images of no class."""
        m, n = len(self), self._left_out
        if m < LEAST or n == 0 or self._classes == 0:
            return None
        mean = min(max(self._sum / m, 0.0), 1.0)  # sums that come and go are rounded
        of_images = (n + m + 1) / (12 * n * m)
        of_classes = CLASS_VARIANCE * (self._squares / (m * m) + 1 / self._classes)
        below = (0.5 - mean) / math.sqrt(of_images + of_classes)
        return Shift(m, mean, below > QUANTILE and mean < HIGHEST_MEAN)

    def _forget(self, p_value: float, label: str) -> None:
        self._sum -= p_value
        self._squares -= 2 * self._of_class[label] - 1
        self._of_class[label] -= 1
        if not self._of_class[label]:
            del self._of_class[label]
