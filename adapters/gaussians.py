"""Gaussian discriminant analysis: one covariance for all classes, from a few images of each.

The precision is that of Wang et al. (ICLR 2024): ``P = d · (S + λI)⁻¹``, S being the scatter of
the n images around their class means, ``λ = ρ · tr(S) / (n − 1)`` and ρ = 1. After whitening with
it, every quantity is a dot product, and so is leaving an image out: a rank-one downdate.
Embeddings enter as their :func:`adapters.span.features`.
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.cholesky import Cholesky
from adapters.directions import Directions
from adapters.rest import Rest, no_rest, parts
from adapters.running_gaussians import RunningGaussians, probe
from adapters.scatter import Scatter
from adapters.span import Span, features
from adapters.tuning.votes import Votes

# Of unit vectors. Images that are all alike would make every other infinitely far away.
_LEAST_VARIANCE = 1e-6


class SharedGaussians:
    """N class means and one shared covariance.

    Args:
        ridge: ρ.
        n_distinct: S counts as if it came from so many images. With near-duplicates among them, n
            images are no better a measure of it than fewer distinct ones, and P is smaller than
            what it was tuned for. All of them if None.

    Fitting costs O(n · r² + r³) for n images, r = min(n, d): their :class:`Span` and
    :class:`Scatter`, which others may share, and a factor. Nothing is incremental but
    :meth:`running`. Computed by NumPy: of the small matrices of a few images PyTorch would take
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
        return self.fit_scatter(Scatter.of(span, columns, n_classes))

    def fit_scatter(self, scatter: Scatter, rest: Rest = no_rest) -> Self:
        """Fit as :meth:`fit` does, on sums that others may share; O(N · r² + r³).

        Args:
            scatter: Of the n images.
            rest: Called every few milliseconds.
        """
        self._scatter, self._span, self.skewed_ = scatter, scatter.span, scatter.span.skewed
        self._width = scatter.span.width
        n, n_classes, self._shots = len(scatter), len(scatter.shots), scatter.shots
        self.shots_ = torch.from_numpy(self._shots)
        within = scatter.within
        # One image a class leaves nothing to estimate a covariance from: P = I / ρ stands in.
        total = float(within.trace()) / (n - 1) if n > n_classes else self._width
        self._ridge = self.ridge * max(total, _LEAST_VARIANCE)
        self._share = 1.0 if self.n_distinct is None else self.n_distinct / n
        covariance = within * within.dtype.type(self._share)
        covariance.flat[:: len(covariance) + 1] += self._ridge
        rest()
        self._factor = Cholesky(covariance)
        rest()
        self._means = self._whitened(scatter.means, rest)
        self._sampled: tuple[NDArray[np.int64], NDArray[Any]] | None = None
        return self

    @property
    def spread_(self) -> Tensor:
        """Estimate of the expected squared distance of an image from its class's true mean.

        By leave-one-out of as many images as :class:`adapters.tuning.votes.Votes` has; 0 where no
        class has two. The mean of c images is off by a c-th of it. O(v · r²) the first time.
        """
        return torch.from_numpy(self.spread(no_rest))

    def features(self, rows: Tensor) -> Tensor:
        """(m, d) embeddings as the Gaussians see them: square roots, of unit length, if skewed."""
        return features(rows, self.skewed_)

    def linear(self) -> tuple[Tensor, Tensor]:
        """As :meth:`adapters.running_gaussians.RunningGaussians.linear`."""
        return self.running(torch.arange(len(self._means))).linear()

    def distances(self, queries: Tensor) -> Tensor:
        """(m, N) squared Mahalanobis distances to the class means, free of their noise."""
        whitened, outside = self._placed(self.features(queries))
        squares = _squares(whitened) + outside
        return torch.from_numpy(squares[:, None] - 2 * whitened @ self._means.T + self._constant())

    def running(self, labels: Tensor) -> RunningGaussians:
        """The same Gaussians, to follow images that come and go; O(r³).

        Args:
            labels: (N,) int64 identifiers of the classes, by which images are said to be theirs.
        """
        basis = Directions.of(self._span.basis, self._width)
        means = torch.from_numpy(self._scatter.means)
        z = probe(len(basis), means).numpy()
        scattered = self._share * (self._scatter.within @ z)
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

    def left_out(
        self,
        rows: Tensor | None = None,
        as_queries: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> tuple[Tensor, Tensor]:
        """Scores of support images, each with itself left out of means and covariance.

        Exact for a fixed λ: without image i, S loses a multiple of v vᵀ, v being its residual,
        and the inverse follows from Sherman and Morrison. An image that is alone in its class
        stays in it. O(m · r²).

        Args:
            rows: (m,) the images; all if None.
            as_queries: (m, d) embeddings to score instead, where these images left out are others:
                averages of views, say.
            rest: Called every few milliseconds.

        Returns:
            (m, N) discriminants, corrected for the noise of the means, and (m, N) distances.
        """
        n_classes, r = len(self._means), len(self._scatter.within)
        asked = np.arange(len(self._scatter)) if rows is None else rows.numpy()
        scores = np.empty((len(asked), n_classes), self._means.dtype)
        squares = np.empty((len(asked), 1), self._means.dtype)
        sampled, of_sampled = self._sample(rest)
        known = of_sampled if np.array_equal(asked, sampled) else None
        cost = 2 * n_classes * r + (r * r / 2 if known is None else 0)
        cost += 0 if as_queries is None else r * self._width + r * r / 2
        for some in parts(len(asked), cost, rest):
            v = self._whitened_residuals(asked[some]) if known is None else known[some]
            other = None if as_queries is None else self.features(as_queries[some])
            scores[some], squares[some] = self._left_out(asked[some], v, other)
        spread = self.spread(rest)
        for some in parts(len(asked), 16 * n_classes, rest):
            scores[some] += spread / (2 * self._shots_left(asked[some]))
        distances = squares - 2 * scores
        scores -= math.log(n_classes)
        return torch.from_numpy(scores), torch.from_numpy(distances)

    def _left_out(
        self, rows: NDArray[np.int64], v: NDArray[Any], queries: Tensor | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """For (m,) images and their residuals: (m, N) discriminants but for constants.

        And (m, 1) squared lengths. Of the images, or of (m, d) :meth:`features` in their places.
        """
        columns, width = self._scatter.columns[rows], self._width
        x, outside = v + self._means[columns], np.zeros(len(rows), v.dtype)
        if queries is not None:
            x, outside = self._placed(queries)
        shots = self._shots[columns]
        several = shots > 1
        # S loses c / (c − 1) · v vᵀ, and the mean of the image's class moves by −v / (c − 1).
        loss = self._share * _left_of(several, shots)[:, None]
        step = np.where(several, 1 / np.maximum(shots - 1, 1), 0)[:, None]
        own = self._own(rows)
        vv = _squares(v)[:, None]
        vx = np.einsum("ij,ij->i", v, x)[:, None]
        vm = v @ self._means.T
        mm = _squares(self._means)
        gain = (loss / width) / (1 - loss * vv / width)
        means_x = x @ self._means.T - own * step * vx
        means_v = vm - own * step * vv
        means_means = mm - own * (2 * step * vm - step * step * vv)
        scores = means_x + gain * vx * means_v
        scores = scores - (means_means + gain * means_v * means_v) / 2
        return scores, (_squares(x) + outside)[:, None] + gain * vx * vx

    def _placed(self, rows: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
        """Of (m, d) :meth:`features`: (m, r) whitened, (m,) squared lengths outside the span."""
        inside = self._span.coordinates(rows).numpy()
        outside = _squares(rows.numpy()) - _squares(inside)
        return self._whitened(inside), outside * (self._width / self._ridge)

    def spread(self, rest: Rest) -> NDArray[Any]:
        """:attr:`spread_`, found once."""
        rows, residuals = self._sample(rest)
        shots = self._shots
        several = shots > 1
        # Distance to the mean of the c − 1 others, less the (c − 1)-th of the spread that it adds.
        squares = _squares(residuals) * _left_of(several, shots)[self._scatter.columns[rows]]
        squares = squares / (1 - self._share / self._width * squares)
        return np.asarray(squares.sum() / max(len(rows), 1), squares.dtype)

    def _sample(self, rest: Rest) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """(v,) images that are not alone in their class, and their residuals; found once."""
        if self._sampled is None:
            columns = torch.from_numpy(self._scatter.columns)
            rows = Votes.of(columns, len(self._means)).rows.numpy()
            residuals = np.empty((len(rows), self._means.shape[1]), self._means.dtype)
            for some in parts(len(rows), len(self._scatter.within) ** 2 / 2, rest):
                residuals[some] = self._whitened_residuals(rows[some])
            self._sampled = rows, residuals
        return self._sampled

    def _whitened_residuals(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return self._whitened(self._scatter.residuals(rows))

    def _own(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """(m, N) ones where an image belongs to a class, zeros elsewhere."""
        own = np.zeros((len(rows), len(self._means)), self._means.dtype)
        own[np.arange(len(own)), self._scatter.columns[rows]] = 1
        return own

    def _shots_left(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """(m, N) images that each class keeps without one of (m,) images; at least 1."""
        shots: NDArray[Any] = np.maximum(self._shots - self._own(rows), 1)
        return shots

    def _constant(self, rest: Rest = no_rest) -> NDArray[Any]:
        """(N,) squared lengths of the means, free of their noise."""
        constant: NDArray[Any] = _squares(self._means) - self.spread(rest) / self._shots
        return constant

    def _whitened(self, inside: NDArray[Any], rest: Rest = no_rest) -> NDArray[Any]:
        """(m, r) coordinates in which P is the identity."""
        solved = self._factor.solved(inside, rest)
        solved *= math.sqrt(self._width)
        return solved


def _squares(rows: NDArray[Any]) -> NDArray[Any]:
    """Squared lengths of the rows."""
    squares: NDArray[Any] = np.einsum("ij,ij->i", rows, rows)
    return squares


def _left_of(several: NDArray[Any], shots: NDArray[Any]) -> NDArray[Any]:
    """(N,) ``c / (c − 1)`` for classes of c > 1 images, 0 for others."""
    left: NDArray[Any] = np.where(several, shots / np.maximum(shots - 1, 1), 0)
    return left
