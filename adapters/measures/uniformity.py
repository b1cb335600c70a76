"""Uniformity: how evenly embeddings spread over the sphere (Wang & Isola, ICML 2020).

The logarithm of the mean Gaussian potential ``exp(-2 ‖a - b‖²)`` of two of them. Oh et al.
(NeurIPS 2023) take it over images and texts together: the rows of both, stacked.
"""

from __future__ import annotations

from math import log, nan

import torch
from torch import Tensor

from adapters.measures.blocks import row_blocks

#: The t of the papers.
SHARPNESS = 2.0


def uniformity(embeddings: Tensor) -> float:
    """Logarithm of the mean potential over all pairs, each counted once.

    Args:
        embeddings: (n, d) unit vectors.

    Returns:
        Between -8 (two opposite vectors) and 0 (all the same), lower is more evenly spread. About
        -4 for random directions in many dimensions. nan for fewer than two vectors.

    Cost: n² · d / 2, in blocks.
    """
    n = len(embeddings)
    if n < 2:
        return nan
    total = 0.0
    for rows in row_blocks(n, n):
        # Of unit vectors, ‖a - b‖² = 2 - 2 a·b. Above the diagonal every pair is there once.
        cosines = embeddings[rows] @ embeddings[rows.start :].T
        potentials = cosines.sub_(1).mul_(2 * SHARPNESS).exp_().triu_(1)
        total += float(potentials.sum(dtype=torch.float64))
    return log(total) - log(n * (n - 1) / 2)
