"""How alike two images of one class are, and two of different classes, on average."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class MeanSimilarity:
    """Mean cosine similarity of pairs of images, each counted once.

    Attributes:
        paired: Of pairs of one class; nan if there are none.
        unpaired: Of pairs of two classes; nan if there are none.
    """

    paired: float
    unpaired: float


def mean_similarity(embeddings: Tensor, labels: Tensor) -> MeanSimilarity:
    """Average the similarities of all pairs, without making a single one of them.

    The similarities of all pairs of a class sum up to the squared length of the sum of its
    vectors, less that of each vector with itself.

    Args:
        embeddings: (n, d) unit vectors.
        labels: (n,) int64 class of each.

    Cost: n · d, and a float64 copy of the embeddings.
    """
    rows = embeddings.double()
    classes, columns, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(classes), rows.shape[1], dtype=torch.float64)
    sums.index_add_(0, columns, rows)
    with_itself = rows.square().sum()
    # Ordered pairs: each is counted twice, above and below.
    same = float(sums.square().sum() - with_itself)
    every = float(sums.sum(dim=0).square().sum() - with_itself)
    n_same = int((counts * (counts - 1)).sum())
    n_every = len(rows) * (len(rows) - 1)
    return MeanSimilarity(
        paired=same / n_same if n_same else nan,
        unpaired=(every - same) / (n_every - n_same) if n_every > n_same else nan,
    )
