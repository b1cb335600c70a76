"""Classes as Gaussians with one covariance, from a handful of images each.

The precision is that of Wang et al. (ICLR 2024): ``P = d · (S + λI)⁻¹``, S being the scatter of
the n images around their class means, ``λ = ρ · tr(S) / (n − 1)`` and ρ = 1. After whitening with
it, every quantity is a dot product, and so is leaving an image out: a rank-one downdate.
Embeddings enter as their :func:`adapters.span.features`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from adapters.span import Span, features

# Of unit vectors. Images that are all alike would make every other infinitely far away.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Expanded:
    """Distances as polynomials: ``z Q zᵀ + s · ‖x‖² − 2 z Wᵀ + b``.

    x are features of a query, z their coordinates in the span.

    Attributes:
        quadratic: Q, (r, r).
        outside: s; zero where the span is everything.
        linear: W, (N, r).
        constant: b, (N,).
    """

    quadratic: Tensor
    outside: float
    linear: Tensor
    constant: Tensor


class SharedGaussians:
    """N class means and one shared covariance.

    Args:
        ridge: ρ.
        n_distinct: S counts as if it came from so many images. With near copies among them, n
            images are no better a measure of it than fewer distinct ones, and P is smaller than
            what it was tuned for. All of them if None.

    Fitting costs O(n · r² + r³) for n images, r = min(n, d), and their :class:`Span`, which is all
    that matters. Nothing is incremental.

    Attributes:
        skewed_: Whether the images had no negative component, so that square roots are taken.
        means_: (N, r) whitened class means.
        shots_: (N,) images of each class.
        spread_: Estimate of the expected squared distance of an image from its class's true
            mean, by leave-one-out; 0 where no class has two images. The mean of c images is off
            by a c-th of it.
    """

    def __init__(self, ridge: float = 1.0, n_distinct: float | None = None) -> None:
        self.ridge = ridge
        self.n_distinct = n_distinct

    def fit(self, images: Tensor, columns: Tensor, n_classes: int) -> Self:
        """Fit means and covariance.

        Args:
            images: (n, d) embeddings, n ≥ 1.
            columns: (n,) int64 column of each image's class; all N classes have images.
            n_classes: N.
        """
        return self.fit_span(Span.of(images), columns, n_classes)

    def fit_span(self, span: Span, columns: Tensor, n_classes: int) -> Self:
        """Fit as :meth:`fit` does, on the span of the images, which others may share."""
        self._span, self._width, self.skewed_ = span, span.width, span.skewed
        inside = span.inside
        n = len(inside)
        labels = one_hot(columns, n_classes).to(inside.dtype)
        self.shots_ = labels.sum(dim=0)
        means = (labels.T @ inside) / self.shots_.unsqueeze(1)
        residuals = inside - means[columns]
        scatter = residuals.T @ residuals
        # One image a class leaves nothing to estimate a covariance from: P = I / ρ stands in.
        total = scatter.trace() / (n - 1) if n > n_classes else scatter.new_tensor(self._width)
        self._ridge = self.ridge * total.clamp(min=_LEAST_VARIANCE)
        self._share = 1.0 if self.n_distinct is None else self.n_distinct / n
        scatter *= self._share
        scatter.diagonal().add_(self._ridge)
        self._factor = torch.linalg.cholesky(scatter)
        self.means_ = self._whitened(means)
        self._columns = columns
        self._residuals = self._whitened(residuals)
        self.spread_ = self._leave_one_out_spread()
        return self

    def features(self, rows: Tensor) -> Tensor:
        """(m, d) embeddings as the Gaussians see them: square roots, of unit length, if skewed."""
        return features(rows, self.skewed_)

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weights (N, d) and bias (N,) such that ``x Wᵀ + b = x P μᵀ − ½ μ P μᵀ + log 1/N``.

        x are :meth:`features`. Uniform prior: a class does not win by its numbers.
        """
        inside, basis = self._weights(), self._span.basis
        weights = inside if basis is None else inside @ basis
        squares = (self.means_ * self.means_).sum(dim=1)
        return weights, -squares / 2 - math.log(len(self.means_))

    def distances(self, queries: Tensor) -> Tensor:
        """(m, N) squared Mahalanobis distances to the class means, free of their noise."""
        queries = self.features(queries)
        inside = self._span.coordinates(queries)
        outside = (queries * queries).sum(dim=1) - (inside * inside).sum(dim=1)
        whitened = self._whitened(inside)
        squares = (whitened * whitened).sum(dim=1) + outside * (self._width / self._ridge)
        return squares.unsqueeze(1) - 2 * whitened @ self.means_.T + self._constant()

    def expanded(self) -> Expanded:
        """:meth:`distances` as polynomials, for queries that ask for several of them at once."""
        quadratic = torch.cholesky_inverse(self._factor) * self._width
        outside = 0.0
        if self._span.basis is not None:
            outside = self._width / float(self._ridge)
            quadratic.diagonal().sub_(outside)
        return Expanded(quadratic, outside, self._weights(), self._constant())

    def left_out(self) -> tuple[Tensor, Tensor]:
        """Scores of the support images, each with itself left out of means and covariance.

        Exact for a fixed λ: without image i, S loses a multiple of v vᵀ, v being its residual,
        and the inverse follows from Sherman and Morrison. An image that is alone in its class
        stays in it.

        Returns:
            (n, N) discriminants, corrected for the noise of the means, and (n, N) distances.
        """
        v, columns, width = self._residuals, self._columns, self._width
        x = v + self.means_[columns]
        shots = self.shots_[columns]
        several = shots > 1
        # S loses c / (c − 1) · v vᵀ, and the mean of the image's class moves by −v / (c − 1).
        loss = torch.where(several, self._share * shots / (shots - 1), 0.0).unsqueeze(1)
        step = torch.where(several, 1 / (shots - 1), 0.0).unsqueeze(1)
        own = one_hot(columns, len(self.means_)).to(x.dtype)
        vv = (v * v).sum(dim=1, keepdim=True)
        vx = (v * x).sum(dim=1, keepdim=True)
        vm = v @ self.means_.T
        mm = (self.means_ * self.means_).sum(dim=1)
        gain = (loss / width) / (1 - loss * vv / width)
        means_x = x @ self.means_.T - own * step * vx
        means_v = vm - own * step * vv
        means_means = mm - own * (2 * step * vm - step * step * vv)
        squares = (x * x).sum(dim=1, keepdim=True) + gain * vx * vx
        scores = means_x + gain * vx * means_v
        scores = scores - (means_means + gain * means_v * means_v) / 2
        shots_left = (self.shots_ - own * several.unsqueeze(1)).clamp(min=1)
        scores = scores + self.spread_ / (2 * shots_left)
        return scores - math.log(len(self.means_)), squares - 2 * scores

    def _leave_one_out_spread(self) -> Tensor:
        several = self.shots_ > 1
        more = torch.where(several, self.shots_ / (self.shots_ - 1), 0.0)
        # Distance to the mean of the c − 1 others, less the (c − 1)-th of the spread that it adds.
        squares = (self._residuals * self._residuals).sum(dim=1) * more[self._columns]
        squares = squares / (1 - self._share / self._width * squares)
        spread: Tensor = squares.sum() / (self.shots_ * several).sum().clamp(min=1)
        return spread

    def _weights(self) -> Tensor:
        """(N, r) weights of a query's coordinates: ``P μᵀ``."""
        solved: Tensor = torch.linalg.solve_triangular(self._factor.T, self.means_.T, upper=True)
        return solved.T * math.sqrt(self._width)

    def _constant(self) -> Tensor:
        """(N,) squared lengths of the means, free of their noise."""
        return (self.means_ * self.means_).sum(dim=1) - self.spread_ / self.shots_

    def _whitened(self, inside: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve_triangular(self._factor, inside.T, upper=False)
        return solved.T * math.sqrt(self._width)
