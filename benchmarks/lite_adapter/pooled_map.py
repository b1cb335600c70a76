"""A linear map behind the pooling of `lite`, in closed form: less overlap, and less accuracy.

With u what the adapted trunk pools and m its mean over generic images, images are compared by::

    A (u − c·m),   A = (1 + V/λ)^(−1/2) · (S + r)^p

V is how the views of an image differ: such directions count less, as in within-class covariance
normalisation (Hatch, Kajarekar & Stolcke, Interspeech 2006) with each image a class of its own, so
that no label is needed. S = Rᵀ R is how the rows R of the tower's own classifier are spread:
directions that tell its classes apart count more. Both are in units of their mean eigenvalue. Of
A − 1, in units of the median eigenvalue of A, the leading part of low rank is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear


@dataclass(frozen=True, slots=True)
class MapSettings:
    """Settings of the map, those that were chosen on generic images alone; see docs/lite.md.

    Attributes:
        centring: c, the part of the mean that is taken off.
        views: λ; the smaller, the less directions count in which views differ.
        power: p; 0 leaves the classifier out.
        ridge: r.
        rank: Of A − 1.
    """

    centring: float = 0.5
    views: float = 3.0
    power: float = 0.1
    ridge: float = 0.1
    rank: int = 256


@dataclass(frozen=True, slots=True)
class PooledMap:
    """u + Up(Down(u)) + b.

    Attributes:
        down: (rank, width).
        up: (width, rank).
        bias: (width,).
    """

    down: Tensor
    up: Tensor
    bias: Tensor

    def __call__(self, pooled: Tensor) -> Tensor:
        """What images are compared by, of (n, width) features."""
        return pooled + linear(linear(pooled, self.down), self.up, self.bias)


def pooled_map(
    plain: Tensor, view: Tensor, classifier: Tensor, settings: MapSettings | None = None
) -> PooledMap:
    """Compute the map.

    Args:
        plain: (n, width) features of generic images, as the adapted trunk pools them.
        view: (n, width) those of another view of each.
        classifier: (classes, width) rows of the tower's classifier.
        settings: Those that were chosen if None.

    Raises:
        ValueError: The views do not differ from the images.
    """
    chosen = settings or MapSettings()
    apart = plain - view
    if not apart.any():
        raise ValueError("the views do not differ from the images")
    rows = classifier - classifier.mean(dim=0)
    less = _power(apart.T @ apart, -0.5, 1.0, 1 / chosen.views)
    whole = less @ _power(rows.T @ rows, chosen.power, chosen.ridge)
    whole = whole / torch.linalg.eigvals(whole).real.median()
    left, sizes, right = _decomposed(whole - torch.eye(len(whole)))
    roots = sizes[: chosen.rank].sqrt()
    up, down = left[:, : chosen.rank] * roots, roots[:, None] * right[: chosen.rank]
    mean = chosen.centring * plain.mean(dim=0)
    return PooledMap(down, up, -(mean + linear(linear(mean, down), up)))


def _decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The singular value decomposition."""
    try:
        left, sizes, right = torch.linalg.svd(matrix)
    except torch.linalg.LinAlgError:
        # Fewer images than channels leave singular values alike, on which float32 may not converge.
        left, sizes, right = (part.float() for part in torch.linalg.svd(matrix.double()))
    return left, sizes, right


def _power(matrix: Tensor, exponent: float, ridge: float, unit: float = 1.0) -> Tensor:
    """(unit · M + ridge)^exponent of a symmetric M, in units of its mean eigenvalue."""
    values, vectors = torch.linalg.eigh(matrix / matrix.diagonal().mean())
    powered: Tensor = (vectors * (unit * values.clamp(min=0) + ridge) ** exponent) @ vectors.T
    return powered
