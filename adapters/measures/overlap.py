"""Intra-modal overlap: how far likeness between images tells whether they share a class.

Cosine similarities of pairs of one class (*paired*) and of two classes (*unpaired*) make two
histograms; the overlap is the area under both (Udandarao et al., ICCV 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.measures.blocks import row_blocks
from adapters.systematic_sampling import evenly

#: Equal intervals of the cosine similarity between -1 and 1.
BINS = 200
# The pairs of more images than this do not change the histograms but cost time.
MAX_IMAGES = 2048


@dataclass(frozen=True, slots=True)
class Overlap:
    """Similarities of pairs of images, each counted once, in ``BINS`` intervals from -1 to 1.

    A similarity on the border of two intervals is counted in the upper one.

    Attributes:
        paired: (BINS,) int64 pairs of two images of the same class.
        unpaired: (BINS,) int64 pairs of images of different classes.
    """

    paired: Tensor
    unpaired: Tensor

    @property
    def paired_shares(self) -> Tensor:
        """(BINS,) float64 share of the paired similarities in each interval; nan if none."""
        return self.paired.double() / self.paired.sum()

    @property
    def unpaired_shares(self) -> Tensor:
        """(BINS,) float64 share of the unpaired similarities; nan if there are none."""
        return self.unpaired.double() / self.unpaired.sum()

    @property
    def area(self) -> float:
        """The area that both histograms cover, each of area one.

        0: likeness tells everything; 1: nothing. nan where one has no pairs. Pairs that are few
        beside the ``BINS`` leave gaps, which makes it smaller than it is.
        """
        return float(torch.minimum(self.paired_shares, self.unpaired_shares).sum())


def overlap(embeddings: Tensor, labels: Tensor) -> Overlap:
    """Count how alike images of the same class and of different classes are.

    Args:
        embeddings: (n, d) unit vectors.
        labels: (n,) int64 class of each.

    Cost: the square of n, of at most MAX_IMAGES; more than that are spread evenly over the classes.
    """
    # In the order of the classes: every k-th image of classes that take turns can be one class.
    rows = labels.argsort(stable=True)[evenly(len(labels), MAX_IMAGES)]
    keys, labels = embeddings[rows], labels[rows]
    numbers = torch.arange(len(rows))
    counts = torch.zeros(2 * BINS, dtype=torch.int64)
    for some in row_blocks(len(rows), len(rows)):
        others = slice(some.start, None)
        bins = (keys[some] @ keys[others].T + 1).mul_(BINS / 2).floor_().clamp_(0, BINS - 1).long()
        bins += BINS * (labels[some].unsqueeze(1) == labels[others])
        once = numbers[others] > numbers[some].unsqueeze(1)
        counts += torch.bincount(bins[once], minlength=2 * BINS)
    return Overlap(paired=counts[BINS:], unpaired=counts[:BINS])
