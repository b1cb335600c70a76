"""Projection: embeddings as points of a plane, to be looked at, before and after the correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from adapters.embeddings import ImageEmbeddings

# Variance of unit vectors below which they are the same one, but for rounding.
_NO_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Plane:
    """Points of a plane that stand for embeddings.

    Attributes:
        points: (n, 2) float64; their centre is the origin.
        explained: Share of the embeddings' variance along each axis; 0 where there is none.
    """

    points: Tensor
    explained: tuple[float, float]


def projected(embeddings: ImageEmbeddings) -> tuple[Plane, Plane]:
    """Both embeddings of n images by the principal components of each.

    Of one image, of none or of equal ones all points are the origin. The same embeddings have the
    same points each time: of an axis, the embedding's dimension that counts most points to the
    right or upwards. The corrected points are turned, or mirrored, until they are as near to the
    frozen ones as they can be (orthogonal Procrustes), so that a point that moves from one to the
    other shows what the correction did to it. Both have one scale: the point that is furthest from
    the origin has the distance 1.

    Args:
        embeddings: Unit vectors, or averages of some.

    Returns:
        The frozen plane and the corrected one.

    Cost: n · d², and d³.
    """
    before, total = _principal(embeddings.frozen)
    if torch.equal(embeddings.frozen, embeddings.corrected):
        after, total_after = before, total
    else:
        after, total_after = _principal(embeddings.corrected)
        turn, _ = orthogonal_procrustes(after.numpy(), before.numpy())
        after = after @ torch.from_numpy(np.asarray(turn))
    furthest = max((float(one.norm(dim=1).max()) for one in (before, after) if len(one)), default=0)
    scale = 1 / furthest if furthest else 1.0
    return (
        Plane(before * scale, _explained(before, total)),
        Plane(after * scale, _explained(after, total_after)),
    )


def _principal(rows: Tensor) -> tuple[Tensor, float]:
    """(n, 2) coordinates along the first two principal axes, and the total variance."""
    if len(rows) < 2:
        return torch.zeros(len(rows), 2, dtype=torch.float64), 0.0
    centred = rows.double() - rows.double().mean(dim=0)
    covariance = centred.T @ centred / len(rows)
    total = float(covariance.trace())
    if total < _NO_VARIANCE:
        return torch.zeros(len(rows), 2, dtype=torch.float64), 0.0
    axes = torch.linalg.eigh(covariance).eigenvectors[:, -2:].flip(1)  # the largest come last
    if axes.shape[1] < 2:
        axes = torch.cat([axes, torch.zeros_like(axes)], dim=1)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    return centred @ (axes * torch.where(largest < 0, -1.0, 1.0)), total


def _explained(points: Tensor, total: float) -> tuple[float, float]:
    if not total:
        return 0.0, 0.0
    across, up = (points.square().mean(dim=0) / total).tolist()
    return min(1.0, across), min(1.0, up)
