"""How much a query looks like any of the classes, to tell what belongs to none of them.

The relative Mahalanobis distance (Ren et al., *A Simple Fix to Mahalanobis Distance for Improving
Near-OOD Detection*, 2021): how much farther a query is from the nearest class than from what all
support images have in common.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy.stats import t as student_t
from torch import Tensor

from adapters.gaussians import SharedGaussians

# Chosen on Caltech-101 with half of the classes held out; 2 to 16 are as good. docs/unknown.md.
RIDGE = 4.0


class Familiarity:
    """``MD₀ − min_c MD_c``: distance to the background less the distance to the nearest class.

    Fitted anew at every change of the support set, at twice the cost of
    :class:`adapters.gaussians.SharedGaussians`; a query costs O(d · r), r = min(n, d).
    """

    def fit(self, images: Tensor, columns: Tensor, n_classes: int) -> Self:
        """Fit the classes, and the background: one Gaussian of all images.

        Args:
            images: (n, d) corrected embeddings.
            columns: (n,) int64 column of each image's class; all N classes have images.
            n_classes: N.
        """
        self._classes = SharedGaussians(RIDGE).fit(images, columns, n_classes)
        self._background = SharedGaussians(RIDGE).fit(images, torch.zeros_like(columns), 1)
        return self

    def scores(self, queries: Tensor) -> Tensor:
        """(m,) familiarity of (m, d) queries; the higher, the more it is like some class."""
        nearest = self._classes.distances(queries).amin(dim=1)
        return self._background.distances(queries).squeeze(1) - nearest

    def left_out(self) -> Tensor:
        """(n,) familiarity of the support images, each left out of everything.

        Means nothing for an image that is alone in its class.
        """
        nearest = self._classes.left_out()[1].amin(dim=1)
        return self._background.left_out()[1].squeeze(1) - nearest


def lower_quantile(scores: Tensor, share: float) -> float | None:
    """Threshold under which a new score falls with a chance of at most ``share``.

    The ⌊share · (n + 1)⌋-th smallest of n scores (split conformal prediction, Vovk et al., 2005):
    if the scores and a new one are exchangeable, that chance holds whatever their distribution.

    Args:
        scores: (n,) scores of left-out support images.
        share: Between 0 and 1.

    Returns:
        None where the scores are too few to give up any.
    """
    rank = min(int(share * (len(scores) + 1) + 1e-9), len(scores))
    return float(scores.kthvalue(rank).values) if rank >= 1 else None


def rejection_threshold(scores: Tensor, share: float) -> float | None:
    """Threshold under which a query is unknown, at a false-rejection rate of ``share``.

    :func:`lower_quantile` where the scores are enough for it. Fewer would never reject anything,
    however strange; with those, the lower limit of a normal prediction interval, below all of
    them (Student's t for one more observation).

    Args:
        scores: (n,) familiarity of left-out support images.
        share: Between 0 and 1; 0 rejects nothing.
    """
    if share < 1e-9 or len(scores) < 2:  # the limit of Student's t ends there, too
        return None
    enough = lower_quantile(scores, share)
    if enough is not None:
        return enough
    n = len(scores)
    margin = float(student_t.ppf(1 - share, n - 1)) * math.sqrt(1 + 1 / n)
    limit = float(scores.mean()) - margin * float(scores.std())
    return min(limit, float(scores.min()))
