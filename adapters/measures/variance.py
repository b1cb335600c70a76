"""Total feature variance: how much embeddings differ from their mean, over all features.

Kravets & Namboodiri (BMVC 2024) report that a smaller intra-modal overlap comes with a higher
variance of the features.
"""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor


def total_variance(embeddings: Tensor) -> float:
    """Sum over the features of their variance: the trace of the covariance matrix.

    Args:
        embeddings: (n, d) vectors; of unit length for the range below.

    Returns:
        Mean squared distance to the mean vector (divided by n). Between 0 (all the same) and 1
        (their mean is zero). nan without vectors.

    Cost: n · d.
    """
    if len(embeddings) == 0:
        return nan
    mean = embeddings.mean(dim=0, dtype=torch.float64)
    from_mean = embeddings - mean.to(embeddings.dtype)
    return float(from_mean.square().sum(dim=1).mean(dtype=torch.float64))
