"""Whether the nearest other image has the same class: what an embedding is worth by itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from adapters.measures.blocks import row_blocks


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest other image of each, judged.

    Attributes:
        right: (n,) bool whether it has the same class.
        judged: (n,) bool whether it could: False for the only image of a class.
    """

    right: Tensor
    judged: Tensor

    @property
    def accuracy(self) -> float:
        """Share of the judged images that are right; nan if there are none.

        That of a one-nearest-neighbour classifier, each image left out of it.
        """
        n = int(self.judged.sum())
        return int(self.right.sum()) / n if n else nan


def neighbours(embeddings: Tensor, labels: Tensor) -> Neighbours:
    """Find the most similar other image of each and compare the classes.

    Args:
        embeddings: (n, d) unit vectors.
        labels: (n,) int64 class of each.

    Cost: n² · d, in blocks.
    """
    n = len(labels)
    _, columns, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    judged = counts[columns] > 1
    right = torch.zeros(n, dtype=torch.bool)
    for rows in row_blocks(n, n):
        cosines = embeddings[rows] @ embeddings.T
        numbers = torch.arange(rows.start, rows.stop)
        cosines[numbers - rows.start, numbers] = -torch.inf
        right[rows] = labels[cosines.argmax(dim=1)] == labels[rows]
    return Neighbours(right & judged, judged)
