"""Gaussian discriminant analysis: one covariance for all classes, from a few images of each.

The precision is that of Wang et al. (ICLR 2024): ``P = d · (S + λI)⁻¹``, S being the scatter of
the n images around their class means, ``λ = ρ · tr(S) / (n − 1)`` and ρ = 1. After whitening with
it, every quantity is a dot product, and so is leaving an image out: a rank-one downdate.
Embeddings enter as their :func:`adapters.span.features`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.cholesky import Cholesky
from adapters.running_gaussians import Basis, RunningGaussians, probe
from adapters.span import Span, features

# Of unit vectors. Images that are all alike would make every other infinitely far away.
_LEAST_VARIANCE = 1e-6


class SharedGaussians:
    """N class means and one shared covariance.

    Args:
        ridge: ρ.
        n_distinct: S counts as if it came from so many images. With near-duplicates among them, n
            images are no better a measure of it than fewer distinct ones, and P is smaller than
            what it was tuned for. All of them if None.

    Fitting costs O(n · r² + r³) for n images, r = min(n, d), and their :class:`Span`. Nothing is
    incremental but :meth:`running`. Computed by NumPy: of the small matrices of a few images PyTorch would take
    longer to be called than to compute, and small classifiers are fitted for a query
    (docs/performance.md).

    Attributes:
        skewed_: Whether the images had no negative component, so that square roots are taken.
        shots_: (N,) images of each class.
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
        inside, n = span.inside, len(span.inside)
        self._columns = columns.numpy()
        self._shots = np.bincount(self._columns, minlength=n_classes).astype(inside.dtype)
        self.shots_ = torch.from_numpy(self._shots)
        means = self._own(n_classes).T @ inside / self._shots[:, None]
        self._residuals = inside - means[self._columns]
        scatter = self._residuals.T @ self._residuals
        # One image a class leaves nothing to estimate a covariance from: P = I / ρ stands in.
        total = float(scatter.trace()) / (n - 1) if n > n_classes else self._width
        self._ridge = self.ridge * max(total, _LEAST_VARIANCE)
        self._share = 1.0 if self.n_distinct is None else self.n_distinct / n
        scatter *= self._share
        scatter.flat[:: len(scatter) + 1] += self._ridge
        self._factor = Cholesky(scatter)
        self._plain_means, self._means = means, self._whitened(means)
        return self

    @cached_property
    def spread_(self) -> Tensor:
        """Estimate of the expected squared distance of an image from its class's true mean.

        By leave-one-out; 0 where no class has two images. The mean of c images is off by a c-th
        of it.
        """
        several = self._shots > 1
        more = _left_of(several, self._shots)
        # Distance to the mean of the c − 1 others, less the (c − 1)-th of the spread that it adds.
        squares = _squares(self._whitened(self._residuals)) * more[self._columns]
        squares = squares / (1 - self._share / self._width * squares)
        total = squares.sum() / max((self._shots * several).sum(), 1)
        return torch.from_numpy(np.asarray(total, squares.dtype))

    def features(self, rows: Tensor) -> Tensor:
        """(m, d) embeddings as the Gaussians see them: square roots, of unit length, if skewed."""
        return features(rows, self.skewed_)

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weights (N, d) and bias (N,) such that ``x Wᵀ + b = x P μᵀ − ½ μ P μᵀ + log 1/N``.

        x are :meth:`features`. Uniform prior: a class does not win by its numbers.
        """
        inside, basis = self._weights(), self._span.basis
        weights = inside if basis is None else inside @ basis.numpy()
        bias = -_squares(self._means) / 2 - math.log(len(self._means))
        return torch.from_numpy(weights), torch.from_numpy(bias)

    def distances(self, queries: Tensor) -> Tensor:
        """(m, N) squared Mahalanobis distances to the class means, free of their noise."""
        rows = self.features(queries)
        inside = self._span.coordinates(rows).numpy()
        outside = _squares(rows.numpy()) - _squares(inside)
        whitened = self._whitened(inside)
        squares = _squares(whitened) + outside * (self._width / self._ridge)
        return torch.from_numpy(squares[:, None] - 2 * whitened @ self._means.T + self._constant())

    def running(self, labels: Tensor) -> RunningGaussians:
        """The same Gaussians, to follow images that come and go; O(r³).

        Args:
            labels: (N,) int64 identifiers of the classes, by which images are said to be theirs.
        """
        basis = Basis.of(self._span.basis, self._width)
        means = torch.from_numpy(self._plain_means)
        z = probe(len(basis), means).numpy()
        scattered = self._share * ((self._residuals @ z) @ self._residuals)
        return RunningGaussians.of(
            labels,
            self.shots_,
            means,
            basis,
            torch.from_numpy(self._factor.inverse()),
            ridge=self._ridge,
            share=self._share,
            scattered=torch.from_numpy(scattered),
        )

    def left_out(self) -> tuple[Tensor, Tensor]:
        """Scores of the support images, each with itself left out of means and covariance.

        Exact for a fixed λ: without image i, S loses a multiple of v vᵀ, v being its residual,
        and the inverse follows from Sherman and Morrison. An image that is alone in its class
        stays in it.

        Returns:
            (n, N) discriminants, corrected for the noise of the means, and (n, N) distances.
        """
        v, columns, width = self._whitened(self._residuals), self._columns, self._width
        x = v + self._means[columns]
        shots = self._shots[columns]
        several = shots > 1
        # S loses c / (c − 1) · v vᵀ, and the mean of the image's class moves by −v / (c − 1).
        loss = self._share * _left_of(several, shots)[:, None]
        step = np.where(several, 1 / np.maximum(shots - 1, 1), 0)[:, None]
        own = self._own(len(self._means))
        vv = _squares(v)[:, None]
        vx = (v * x).sum(axis=1, keepdims=True)
        vm = v @ self._means.T
        mm = _squares(self._means)
        gain = (loss / width) / (1 - loss * vv / width)
        means_x = x @ self._means.T - own * step * vx
        means_v = vm - own * step * vv
        means_means = mm - own * (2 * step * vm - step * step * vv)
        squares = _squares(x)[:, None] + gain * vx * vx
        scores = means_x + gain * vx * means_v
        scores = scores - (means_means + gain * means_v * means_v) / 2
        shots_left = np.maximum(self._shots - own * several[:, None], 1)
        scores = scores + self.spread_.numpy() / (2 * shots_left)
        return (
            torch.from_numpy(scores - math.log(len(self._means))),
            torch.from_numpy(squares - 2 * scores),
        )

    def _own(self, n_classes: int) -> NDArray[Any]:
        """(n, N) ones where an image belongs to a class, zeros elsewhere."""
        own = np.zeros((len(self._columns), n_classes), self._span.inside.dtype)
        own[np.arange(len(own)), self._columns] = 1
        return own

    def _weights(self) -> NDArray[Any]:
        """(N, r) weights of a query's coordinates: ``P μᵀ``."""
        solved: NDArray[Any] = self._factor.solved_back(self._means) * math.sqrt(self._width)
        return solved

    def _constant(self) -> NDArray[Any]:
        """(N,) squared lengths of the means, free of their noise."""
        constant: NDArray[Any] = _squares(self._means) - self.spread_.numpy() / self._shots
        return constant

    def _whitened(self, inside: NDArray[Any]) -> NDArray[Any]:
        """(m, r) coordinates in which P is the identity."""
        solved: NDArray[Any] = self._factor.solved(inside) * math.sqrt(self._width)
        return solved


def _squares(rows: NDArray[Any]) -> NDArray[Any]:
    """Squared lengths of the rows."""
    squares: NDArray[Any] = np.einsum("ij,ij->i", rows, rows)
    return squares


def _left_of(several: NDArray[Any], shots: NDArray[Any]) -> NDArray[Any]:
    """(N,) ``c / (c − 1)`` for classes of c > 1 images, 0 for others."""
    left: NDArray[Any] = np.where(several, shots / np.maximum(shots - 1, 1), 0)
    return left
