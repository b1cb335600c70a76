"""Support images that others cover, without which a classifier loses next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings
from adapters.rest import Rest, no_rest

#: Largest share of the images that is named.
MOST = 0.25
# What a class keeps of its images: a share, and a number.
_KEPT_SHARE, _KEPT = 0.5, 4


@dataclass(frozen=True, slots=True)
class SpareImages:
    """Images that can go together, the first ones with the least loss.

    Attributes:
        rows: (m,) int64 their rows.
        covered_by: (m,) int64 the most similar image of the same class that stays.
        similarity: (m,) its cosine of the corrected embeddings.
    """

    rows: Tensor
    covered_by: Tensor
    similarity: Tensor


def spare_images(
    images: LabelledEmbeddings, columns: Tensor, own: Tensor, *, rest: Rest = no_rest
) -> SpareImages:
    """Which images can go: alike to one that stays, and named surely without themselves.

    Greedily the image whose similarity to the nearest other one of its class, times the
    probability of its class when it is left out, is largest. No more than ``MOST`` of the images,
    and no class loses more than half of its own or keeps fewer than four. O(Σ shots² · d).

    Args:
        images: At most some thousands, without near-duplicates.
        columns: (n,) int64 column of the class of each.
        own: (n,) probability of its class, each image being left out.
        rest: Called every few milliseconds.
    """
    n = len(images)
    shots = torch.bincount(columns)
    may_lose = torch.minimum((shots * _KEPT_SHARE).floor(), shots - _KEPT).clamp(min=0).long()
    rows_of = [(columns == column).nonzero().flatten() for column in range(len(shots))]
    place = torch.empty(n, dtype=torch.int64)
    similar = []
    keys = images.embeddings.corrected
    value = torch.full((n,), -torch.inf)
    nearest = torch.zeros(n, dtype=torch.int64)
    for rows, few in zip(rows_of, may_lose.tolist(), strict=True):
        rest()
        place[rows] = torch.arange(len(rows))
        cosines = keys[rows] @ keys[rows].T if few else torch.empty(0, 0)
        if few:
            cosines.fill_diagonal_(-torch.inf)
            value[rows], at = cosines.max(dim=1)
            nearest[rows] = rows[at]
        similar.append(cosines)
    gone: list[int] = []
    score = torch.where(value > 0, value * own, -torch.inf)
    for step in range(int(MOST * n)):
        if step % 64 == 0:
            rest()
        row = int(score.argmax())
        if score[row] <= 0:
            break
        column = int(columns[row])
        rows, cosines = rows_of[column], similar[column]
        gone.append(row)
        may_lose[column] -= 1
        score[row] = -torch.inf
        if may_lose[column] == 0:
            score[rows] = -torch.inf
        # Nobody is covered by what has gone.
        cosines[:, place[row]] = -torch.inf
        others = rows[(nearest[rows] == row) & (score[rows] > -torch.inf)]
        if len(others):
            value[others], at = cosines[place[others]].max(dim=1)
            nearest[others] = rows[at]
            score[others] = torch.where(value[others] > 0, value[others] * own[others], -torch.inf)
    covers = [similar[int(columns[row])][place[row]].max(dim=0) for row in gone]
    return SpareImages(
        torch.tensor(gone, dtype=torch.int64),
        torch.tensor(
            [
                int(rows_of[int(columns[row])][at])
                for row, (_, at) in zip(gone, covers, strict=True)
            ],
            dtype=torch.int64,
        ),
        torch.tensor([min(float(cosine), 1.0) for cosine, _ in covers]),
    )
