"""Alignment: how near images are to the texts that describe them.

Wang & Isola (ICML 2020) for pairs of an image and a text, and relative to the other texts as Oh
et al. (Geodesic Multi-Modal Mixup, NeurIPS 2023) do. Distances are squared Euclidean ones of unit
vectors, ``2 - 2 cos``: 0 where both are the same, 2 at right angles, 4 opposite.
"""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor

from adapters.measures.blocks import row_blocks


def alignment(images: Tensor, texts: Tensor, own: Tensor) -> float:
    """Squared distance of an image to its own text, mean over the images.

    Args:
        images: (n, d) unit vectors.
        texts: (N, d) unit vectors; for images of classes, one for each class.
        own: (n,) int64 row of ``texts`` that describes each image.

    Returns:
        Between 0 and 4, lower is better; nan without images.

    Cost: n · d.
    """
    if len(images) == 0:
        return nan
    return float(2 - 2 * (images * texts[own]).sum(dim=1).mean(dtype=torch.float64))


def relative_alignment(images: Tensor, texts: Tensor, own: Tensor) -> float:
    """Squared distance of an image to its own text less that to the nearest other text.

    Args:
        images: (n, d) unit vectors.
        texts: (N, d) unit vectors.
        own: (n,) int64 row of ``texts`` that describes each image.

    Returns:
        The mean over the images, between -4 and 4, lower is better. Below 0 images are nearer
        to their own text than to any other on average. nan without images or other texts.

    Cost: n · N · d, in blocks.
    """
    if len(images) == 0 or len(texts) < 2:
        return nan
    total = 0.0
    for rows in row_blocks(len(images), len(texts)):
        cosines = images[rows] @ texts.T
        column = own[rows].unsqueeze(1)
        mine = cosines.gather(1, column).squeeze(1)
        other = cosines.scatter(1, column, -torch.inf).amax(dim=1)
        total += float((other - mine).sum(dtype=torch.float64))
    return 2 * total / len(images)
