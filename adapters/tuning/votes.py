"""Which support images can be left out and named by the others, and what each vote counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.systematic_sampling import evenly

# More votes than this do not change the choice but cost time; they are spread evenly.
MAX_VOTES = 2048


@dataclass(frozen=True, slots=True)
class Votes:
    """The v support images that vote on themselves.

    Attributes:
        rows: (v,) their rows in the support set.
        targets: (v,) int64 columns of their classes.
        weights: (v,) share of each in what is measured. They sum to one and those of a class
            to the same as those of another, so that no class decides by its numbers.
    """

    rows: Tensor
    targets: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, columns: Tensor, n_classes: int, *, singles: bool = False) -> Self:
        """Choose the voters: images that are not alone in their class, at most MAX_VOTES.

        Args:
            columns: (n,) int64 column of each support image's class.
            n_classes: Number of columns.
            singles: Let images vote that are alone in their class, too.
        """
        shots = torch.bincount(columns, minlength=n_classes)
        rows = (shots[columns] > (0 if singles else 1)).nonzero().flatten()
        rows = rows[evenly(len(rows), MAX_VOTES)]
        targets = columns[rows]
        return cls(rows, targets, cls.class_weights(targets))

    @staticmethod
    def class_weights(columns: Tensor) -> Tensor:
        """(n,) share of each image, summing to one, such that every class has as much."""
        if len(columns) == 0:
            return torch.empty(0, dtype=torch.float64)
        shots = torch.bincount(columns).double()
        return 1 / (shots[columns] * (shots > 0).sum())

    def accuracy(self, logits: Tensor) -> float:
        """Share of the votes that name their class; a tie with another class is a miss.

        Args:
            logits: (v, N) scores of the voters, each without its own image.
        """
        own = self.targets.unsqueeze(1)
        others = logits.scatter(1, own, -torch.inf).amax(dim=1)
        right = (logits.gather(1, own).squeeze(1) > others).double()
        return round(float(torch.dot(right, self.weights)), 12)
