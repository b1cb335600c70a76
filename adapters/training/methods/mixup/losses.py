"""The losses of geodesic multi-modal mixup (Oh et al., NeurIPS 2023, arXiv 2203.03897).

All take n pairs as ``images`` (n, d) and ``texts`` (n, d), unit vectors of which row i belongs to
row i, and ``scale``, the factor of the cosines: 1/τ. ``share`` is λ. What is mixed within a
modality is mixed with the batch reversed: image i with image n−1−i.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from adapters.training.methods.mixup.geodesic import geodesic_mix

Mix = Callable[[Tensor, Tensor, Tensor | float, Tensor | float], Tensor]


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor | float) -> Tensor:
    """Return the contrastive loss: each image knows its text, and each text its image.

    ``½ CE(s·I·Tᵀ, 1) + ½ CE(s·T·Iᵀ, 1)`` (Radford et al., ICML 2021).
    """
    return _both_ways(scale * images @ texts.T, torch.eye(len(images)).to(images))


def m2_mix(images: Tensor, texts: Tensor, share: Tensor | float, scale: Tensor | float) -> Tensor:
    """Return m²-Mix: images mixed with their own texts are harder negatives than either.

    ``CE(s·[I·Mᵀ], 1) + CE(s·[T·Mᵀ], 1)``, ``M = m_λ(I, T)``, where the brackets put the cosines
    of the pairs themselves, ``I·Tᵀ``, on the diagonal.
    """
    mixed = geodesic_mix(images, texts, share)
    one = torch.eye(len(images)).to(images)
    own = torch.diag((images * texts).sum(dim=-1))
    loss: Tensor = cross_entropy(scale * (images @ mixed.T * (1 - one) + own), one)
    return loss + cross_entropy(scale * (texts @ mixed.T * (1 - one) + own), one)


def v_mix(images: Tensor, texts: Tensor, share: Tensor | float, scale: Tensor | float) -> Tensor:
    """Return V-Mix: a mix of two images belongs to both of their texts, by their shares.

    The contrastive loss of ``s·m_λ(I, I↓)·Tᵀ`` against ``λ·1 + (1−λ)·1↓``, ↓ for reversed.
    """
    mixed = geodesic_mix(images, images.flip(0), share)
    one = torch.eye(len(images)).to(images)
    return _both_ways(scale * mixed @ texts.T, share * one + (1 - share) * one.flip(0))


def l_mix(images: Tensor, texts: Tensor, share: Tensor | float, scale: Tensor | float) -> Tensor:
    """Return L-Mix: a mix of two texts belongs to both of their images, by their shares.

    The contrastive loss of ``s·I·m_λ(T, T↓)ᵀ`` against ``λ·1 + (1−λ)·1↓``, ↓ for reversed.
    """
    mixed = geodesic_mix(texts, texts.flip(0), share)
    one = torch.eye(len(images)).to(images)
    return _both_ways(scale * images @ mixed.T, share * one + (1 - share) * one.flip(0))


def vl_mix(images: Tensor, texts: Tensor, share: Tensor | float, scale: Tensor | float) -> Tensor:
    """Return VL-Mix: a mix of two images belongs to the mix of their texts, either way round.

    The contrastive loss of ``s·m_λ(I, I↓)·m_λ(T, T↓)ᵀ`` against ``1 + 1↓``, ↓ for reversed.
    """
    mixed_images = geodesic_mix(images, images.flip(0), share)
    mixed_texts = geodesic_mix(texts, texts.flip(0), share)
    one = torch.eye(len(images)).to(images)
    return _both_ways(scale * mixed_images @ mixed_texts.T, one + one.flip(0))


MIXES: Mapping[str, Mix] = {"m2": m2_mix, "v": v_mix, "l": l_mix, "vl": vl_mix}
"""The mixes by their short names."""


def _both_ways(logits: Tensor, targets: Tensor) -> Tensor:
    # The targets are symmetric: what an image belongs to belongs to it.
    loss: Tensor = cross_entropy(logits, targets) + cross_entropy(logits.T, targets)
    return loss / 2
