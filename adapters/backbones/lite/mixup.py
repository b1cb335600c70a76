"""Geodesic multi-modal mixup (m²-Mix) of images and texts on the sphere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def geodesic_mix(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """Return unit vectors on the great circle between rows of ``a`` and rows of ``b``.

    ``a·sin(λθ)/sin θ + b·sin((1−λ)θ)/sin θ``; θ is the angle between them (Oh et al.,
    NeurIPS 2023, arXiv 2203.03897).

    Args:
        a: (n, d) unit vectors.
        b: (n, d) unit vectors.
        share: λ, the part of ``a``, in [0, 1].

    The value and the gradient stay finite where the vectors meet or oppose each other.
    """
    margin = 4 * torch.finfo(a.dtype).eps
    cosine = (a * b).sum(dim=-1, keepdim=True).clamp(-1 + margin, 1 - margin)
    angle = torch.acos(cosine)
    return (a * torch.sin(share * angle) + b * torch.sin((1 - share) * angle)) / torch.sin(angle)


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor | float) -> Tensor:
    """Return the symmetric contrastive loss of n pairs (Radford et al., ICML 2021).

    Args:
        images: (n, d) unit vectors.
        texts: (n, d) unit vectors; row i belongs to image i.
        scale: Factor of the cosines, 1/τ.
    """
    logits = scale * images @ texts.T
    pairs = torch.arange(len(images), device=images.device)
    return (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2


def m2_mix_loss(
    images: Tensor, texts: Tensor, share: Tensor | float, scale: Tensor | float
) -> Tensor:
    """Return the loss against mixed, that is harder, negatives (m²-Mix, same paper).

    Every image and every text must be nearer to its own partner than to the mixes of all the
    other pairs.

    Args:
        images: (n, d) unit vectors.
        texts: (n, d) unit vectors; row i belongs to image i.
        share: λ, the part of the image in a mix, drawn from a Beta distribution.
        scale: Factor of the cosines, 1/τ.
    """
    mixed = geodesic_mix(images, texts, share)
    own = torch.diag((images * texts).sum(dim=-1))
    others = 1 - torch.eye(len(images), dtype=images.dtype, device=images.device)
    pairs = torch.arange(len(images), device=images.device)
    loss: Tensor = cross_entropy(scale * (images @ mixed.T * others + own), pairs)
    return loss + cross_entropy(scale * (texts @ mixed.T * others + own), pairs)
