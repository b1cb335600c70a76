"""The mix of two unit vectors along the great circle that joins them."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import normalize


def geodesic_mix(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """Return unit vectors on the great circle between rows of ``a`` and rows of ``b``.

    ``m_λ(a, b) = a·sin(λθ)/sin θ + b·sin((1−λ)θ)/sin θ``; θ is the angle between them (Oh et al.,
    NeurIPS 2023, arXiv 2203.03897). It is computed from the middle of the arc, which is the same
    and loses no accuracy where sin θ vanishes::

        m = (a+b)/‖a+b‖ · cos φ + (a−b)/(2 sin θ/2) · sin φ,    φ = (2λ−1) · θ/2

    Values and gradients are finite for all θ. At θ = 0 both are the limits. Towards θ = π the
    gradient of the formula grows without bound, as opposite vectors are joined by every great
    circle: nearer to it than the square root of the machine's epsilon one of them is chosen,
    and its choice has no gradient.

    Args:
        a: (n, d) unit vectors, d > 1.
        b: (n, d) unit vectors.
        share: λ, the part of ``a``, in [0, 1]; a scalar or (n, 1).

    Returns:
        (n, d) unit vectors.
    """
    along, across = a + b, a - b
    # θ/2 to full accuracy at both ends, where the arc cosine of a product has half of the digits.
    half = torch.atan2(
        vector_norm(across, dim=-1, keepdim=True), vector_norm(along, dim=-1, keepdim=True)
    )
    opposite = vector_norm(along, dim=-1, keepdim=True) < torch.finfo(a.dtype).eps ** 0.5
    middle = normalize(torch.where(opposite, _perpendicular(a.detach()), along), dim=-1)
    towards_a = 2 * share - 1
    # sin φ / (2 sin θ/2) as a ratio of sinc's, which have values and gradients at 0.
    ratio = towards_a * torch.sinc(towards_a * half / pi) / (2 * torch.sinc(half / pi))
    # Rounding has left it a little beside the sphere.
    return normalize(middle * torch.cos(towards_a * half) + across * ratio, dim=-1)


def _perpendicular(a: Tensor) -> Tensor:
    # Made from the axis that is farthest from a, so that it is never short.
    axis = torch.zeros_like(a).scatter_(-1, a.abs().argmin(dim=-1, keepdim=True), 1.0)
    return axis - (axis * a).sum(dim=-1, keepdim=True) * a
