"""Out-of-distribution detection: whether a query belongs to any of the classes.

By the relative Mahalanobis distance (Ren et al., *A Simple Fix to Mahalanobis Distance for
Improving Near-OOD Detection*, 2021): how much farther a query is from the nearest class than from
what all support images have in common.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace
from typing import Self

import torch
from scipy.special import stdtrit  # scipy.stats takes a second to import
from torch import Tensor

from adapters.gaussians import SharedGaussians
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.running_gaussians import Moves, RunningGaussians
from adapters.scatter import Scatter
from adapters.span import Span, features
from adapters.tuning.left_out_scores import LEAST

# Chosen on Caltech-101 with half of the classes held out; 2 to 16 are as good. docs/unknown.md.
RIDGE = 4.0


class RelativeMahalanobis:
    """The relative Mahalanobis distance, as a score: ``MD₀ − min_c MD_c``.

    It is the distance to the background less that to the nearest class: the lower, the more
    out-of-distribution.

    Fitted at twice the cost of :class:`adapters.gaussians.SharedGaussians`; images that come and go
    are followed by :meth:`moved`. A query costs O(d · r + r² + N · d), r = min(n, d).
    """

    def fit(self, images: Tensor, columns: Tensor, n_classes: int) -> Self:
        """Fit as :meth:`fit_span` does, on the span of (n, d) embeddings."""
        return self.fit_span(Span.of(images), columns, n_classes)

    def fit_span(
        self, span: Span, columns: Tensor, n_classes: int, labels: Tensor | None = None
    ) -> Self:
        """Fit the classes, and the background: one Gaussian of all images.

        Args:
            span: Of the n corrected embeddings; a head may share it.
            columns: (n,) int64 column of each image's class; all N classes have images.
            n_classes: N.
            labels: (N,) int64 identifiers of the classes, for :meth:`moved`; 0 to N − 1 if None.
        """
        return self.fit_scatter(Scatter.of(span, columns, n_classes), labels=labels)

    def fit_scatter(
        self, scatter: Scatter, rest: Rest = no_rest, labels: Tensor | None = None
    ) -> Self:
        """Fit as :meth:`fit_span` does, on sums that a head may share, too.

        Args:
            scatter: Of the n corrected embeddings.
            rest: Called every few milliseconds.
            labels: As :meth:`fit_span`.
        """
        classes = SharedGaussians(RIDGE).fit_scatter(scatter, rest)
        background = SharedGaussians(RIDGE).fit_scatter(scatter.of_one_class(), rest)
        self._fitted: tuple[SharedGaussians, SharedGaussians] | None = classes, background
        self._skewed = scatter.span.skewed
        self._spreads = float(classes.spread(rest)), float(background.spread(rest))
        labels = torch.arange(len(scatter.shots)) if labels is None else labels
        near = classes.running(labels)
        rest()
        self._serve(near, background.running(torch.zeros(1, dtype=torch.int64)))
        rest()
        return self

    def moved(self, moves: Moves) -> Self:
        """The same after images have left and joined (:meth:`RunningGaussians.moved`).

        The ridge and the spread, estimates of a variance, stay those of the last fit.

        Raises:
            DriftedError: Rounding has grown too large: fit anew.
        """
        after = copy(self)
        after._fitted = None
        near = self._near.moved(moves)
        nothing = torch.zeros(1, dtype=torch.int64)
        after._serve(near, self._far.moved(moves.of_one_class(), nothing, near.basis))
        return after

    def known_as(self, labels: Tensor) -> Self:
        """The same with other identifiers of the classes, (N,) int64 in the same order."""
        after = copy(self)
        after._near = replace(self._near, labels=labels)
        return after

    @property
    def labels(self) -> Tensor:
        """(N,) int64 identifiers of the classes with images."""
        return self._near.labels

    @property
    def skewed(self) -> bool:
        """Whether square roots are taken of the components of embeddings."""
        return self._skewed

    def _serve(self, near: RunningGaussians, far: RunningGaussians) -> None:
        """The terms of both distances at once: ``z (Q₀ − Q) zᵀ``, ``2 x (W − W₀)ᵀ``, the rest."""
        self._near, self._far = near, far
        width = near.basis.width
        self._quadratic = (far.inverse - near.inverse) * width
        self._outside = 0.0
        if near.basis.rows is not None:
            self._outside = width / far.ridge - width / near.ridge
            self._quadratic.diagonal().sub_(self._outside)
        self._linear = (near.weights - far.weights) * (2 * width)
        of_near, of_far = (
            width * running.squares - spread / running.shots
            for running, spread in zip((near, far), self._spreads, strict=True)
        )
        self._constant = of_far - of_near

    def scores(self, queries: Tensor) -> Tensor:
        """(m,) scores of (m, d) queries; the higher, the more in-distribution: like some class."""
        x = features(queries, self._skewed)
        z = self._near.basis.inside(x)
        nearest = (x @ self._linear.T + self._constant).amax(dim=1)
        squares = ((z @ self._quadratic) * z).sum(dim=1)
        return nearest + squares + self._outside * (x * x).sum(dim=1)

    def left_out(
        self,
        rows: Tensor | None = None,
        as_queries: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m,) scores of support images, each left out of everything.

        Means nothing for an image that is alone in its class.

        Args:
            rows: (m,) the images; all if None.
            as_queries: (m, d) what they are as queries, where they are averages of views.
            rest: Called every few milliseconds.
        """
        if self._fitted is None:
            raise ValueError("the support images were let go of")
        classes, background = self._fitted
        nearest = classes.left_out(rows, as_queries, rest=rest)[1].amin(dim=1)
        return background.left_out(rows, as_queries, rest=rest)[1].squeeze(1) - nearest

    def let_go_of_images(self) -> Self:
        """Keep what queries and changes need, a fraction of it: without :meth:`left_out`."""
        self._fitted = None
        return self

    def storages(self) -> Storages:
        """What queries and changes need, in memory; the images have to be let go of."""
        held = {**self._near.storages(), **self._far.storages()}
        return held | storages(self._quadratic, self._linear, self._constant)


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


def comparable(scores: Tensor, shots: Tensor) -> Tensor:
    """Scores of left-out images, on the scale of queries.

    A query's distance to the mean of c images has the variance of one image times ``1 + 1 / c``, a
    left-out image's to that of the ``c − 1`` others ``1 + 1 / (c − 1)``: at two shots left-out
    scores scatter a third more than those of queries, and reject too little.

    Args:
        scores: (n,) of left-out support images.
        shots: (n,) images of the class of each, with its own; at least 2.
    """
    wider = (1 + 1 / shots) / (1 + 1 / (shots - 1))
    centre = scores.mean()
    return centre + (scores - centre) * wider.sqrt()


def degrees_of_freedom(shots: Tensor) -> int:
    """How many observations of a spread left-out images are: their number less their classes'.

    The two images of a class of two are as far from each other as the other way round.

    Args:
        shots: (n,) images of the class of each.
    """
    return min(round(float((1 - 1 / shots.double()).sum())), len(shots) - 1)


def rejection_threshold(scores: Tensor, share: float, freedom: int) -> float | None:
    """Threshold under which a query is unknown, at a false-rejection rate of ``share``.

    :func:`lower_quantile` where the scores are enough for it. Fewer would never reject anything,
    however strange; with those, the lower limit of a normal prediction interval, below all of
    them (Student's t for one more observation).

    Args:
        scores: (n,) scores of left-out support images.
        share: Between 0 and 1; 0 rejects nothing.
        freedom: :func:`degrees_of_freedom` of the scores.
    """
    if share < LEAST or len(scores) < 2:  # the limit of Student's t ends there, too
        return None
    enough = lower_quantile(scores, share)
    if enough is not None:
        return enough
    margin = float(stdtrit(freedom, 1 - share)) * math.sqrt(1 + 1 / freedom)
    limit = float(scores.mean()) - margin * float(scores.std())
    return min(limit, float(scores.min()))
