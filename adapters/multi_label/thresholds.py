"""Thresholds: from which probability on a label is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Votes of the mean class that a class's own are added to, in images that show it.
SHRINKAGE = 4.0
#: Probabilities that may be thresholds.
_GRID = np.linspace(0.05, 0.95, 46)


def best_thresholds(
    probabilities: NDArray[Any], targets: NDArray[Any], voting: NDArray[Any], default: float
) -> NDArray[Any]:
    """(N,) thresholds of the highest F1 of each class over left-out images, drawn to a default.

    F1 is that of the class's own votes and of :data:`SHRINKAGE` images more of the mean class. The
    threshold of v images that show the class beside others is then taken for v in
    ``v + SHRINKAGE``, and the default for the rest: images of one label do not tell how a class
    looks beside others, and where there are none else it is the default.

    Args:
        probabilities: (m, N), each row without its own image.
        targets: (m, N) bool.
        voting: (N,) bool: classes that are judged.
        default: Where there is nothing to learn from.
    """
    found = np.full(targets.shape[1], default)
    beside = targets[targets.sum(axis=1) > 1].sum(axis=0).astype(float)
    if not voting.any() or not beside[voting].any():
        return found
    judged, wanted = probabilities[:, voting].astype(float), targets[:, voting]
    hits, named = np.empty((2, len(_GRID), judged.shape[1]))
    for place, threshold in enumerate(_GRID):  # (m, N) at a time
        given = judged >= threshold
        hits[place] = (given & wanted).sum(axis=0)
        named[place] = given.sum(axis=0)
    shown = wanted.sum(axis=0).astype(float)
    share = SHRINKAGE / shown.sum()
    of_mean = share * hits.sum(axis=1), share * named.sum(axis=1)
    for place, column in enumerate(voting.nonzero()[0]):
        f1 = 2 * (hits[:, place] + of_mean[0])
        f1 /= named[:, place] + of_mean[1] + shown[place] + SHRINKAGE
        best = (f1 >= f1.max() - 1e-9).nonzero()[0]
        own = _GRID[best[len(best) // 2]]
        told = beside[column] / (beside[column] + SHRINKAGE)
        found[column] = told * own + (1 - told) * default
    return found
