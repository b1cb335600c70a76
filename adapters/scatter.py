"""Class means of images and their scatter around them: what Gaussians of any ridge are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters import lapack
from adapters.rest import Rest, no_rest, parts
from adapters.span import Span


@dataclass(frozen=True, slots=True)
class Scatter:
    """N classes of n images, in the coordinates of their span.

    Attributes:
        span: Of the images.
        columns: (n,) int64 column of each image's class.
        shots: (N,) images of each class, of the type of the coordinates.
        means: (N, r) of the classes.
        within: (r, r) S, the sum of ``(x − μ)ᵀ (x − μ)``.
    """

    span: Span
    columns: NDArray[np.int64]
    shots: NDArray[Any]
    means: NDArray[Any]
    within: NDArray[Any]

    @staticmethod
    def of(span: Span, columns: Tensor, n_classes: int, rest: Rest = no_rest) -> Scatter:
        """Sum over the images; O(n · r²).

        Args:
            span: Of n images.
            columns: (n,) int64 column of each image's class; all N classes have images.
            n_classes: N.
            rest: Called every few milliseconds.
        """
        inside, of_images = span.inside, columns.numpy()
        r = inside.shape[1]
        shots = np.bincount(of_images, minlength=n_classes).astype(inside.dtype)
        sums = torch.zeros((n_classes, r), dtype=torch.from_numpy(inside).dtype)
        for some in parts(len(inside), 8 * r, rest):
            sums.index_add_(0, columns[some], torch.from_numpy(inside[some]))
        means = sums.numpy() / shots[:, None]
        found = Scatter(span, of_images, shots, means, np.zeros((r, r), inside.dtype))
        for some in parts(len(inside), r * r / 2, rest):
            lapack.add_products(found.residuals(some), found.within)
        lapack.mirror(found.within)
        return found

    def __len__(self) -> int:
        return len(self.columns)

    def residuals(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        """(m, r) images less their class's mean."""
        residuals: NDArray[Any] = self.span.inside[rows] - self.means[self.columns[rows]]
        return residuals

    def of_one_class(self) -> Scatter:
        """The same images as a single class; O(N · r²), without looking at them again."""
        n = self.shots.sum()
        mean = (self.shots @ self.means) / n
        between = (self.means - mean) * np.sqrt(self.shots)[:, None]
        return replace(
            self,
            columns=np.zeros_like(self.columns),
            shots=np.full(1, n, self.shots.dtype),
            means=mean[None],
            within=self.within + between.T @ between,
        )
