"""How familiar the support images are to each other, summed up: what p-values are read off."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from scipy.special import stdtr  # scipy.stats takes a second to import
from torch import Tensor

#: No p-value is lower: so far from what was seen, an extrapolation means nothing.
LEAST = 1e-9
# Scores that are kept of more; of up to so many, all.
_KEPT = 101
# A database or a file that tells of more images than that is damaged.
_MOST = 2**31


@dataclass(frozen=True, slots=True)
class LeftOutScores:
    """The out-of-distribution scores of n left-out support images, bounded in size.

    Attributes:
        count: n, at least 2.
        mean: Of all n.
        spread: Their standard deviation.
        freedom: Its degrees of freedom, from 1 to n − 1: two images that are alone in their class
            are as far from each other, and one observation.
        ranks: (k,) ranks of the scores that are kept, from 1 to n, each once: all of up to 101,
            and of more 101, which lie the closer the lower they are.
        scores: (k,) these scores, ascending.
    """

    count: int
    mean: float
    spread: float
    freedom: int
    ranks: tuple[int, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what no scores sum up to.

        Raises:
            ValueError: It is contradictory.
        """
        numbers = (self.mean, self.spread, *self.scores)
        if not (
            2 <= len(self.ranks) == len(self.scores) <= _KEPT + 1
            and self.count <= _MOST
            and (self.ranks[0], self.ranks[-1]) == (1, self.count)
            and all(one < other for one, other in zip(self.ranks, self.ranks[1:], strict=False))
            and all(one <= other for one, other in zip(self.scores, self.scores[1:], strict=False))
            and all(map(math.isfinite, numbers))
            and self.spread >= 0
            and 1 <= self.freedom < self.count
        ):
            raise ValueError("its left-out scores contradict themselves")

    @classmethod
    def of(cls, scores: Tensor, share: float, freedom: int) -> Self | None:
        """Sum up (n,) scores; None of fewer than two.

        Args:
            scores: Of left-out support images.
            share: The false-rejection rate, whose threshold is kept exactly.
            freedom: As :func:`adapters.out_of_distribution.degrees_of_freedom` of them.
        """
        n = len(scores)
        if n < 2:
            return None
        ordered = scores.double().sort().values
        ranks = torch.arange(1, n + 1)
        if n > _KEPT:
            steps = torch.linspace(0, 1, _KEPT, dtype=torch.float64)
            at_share = torch.tensor([int(share * (n + 1) + 1e-9)]).clamp(1, n)
            spaced = 1 + ((n - 1) * steps.square()).round().long()
            ranks = torch.unique(torch.cat([spaced, at_share]))
        return cls(
            count=n,
            mean=float(ordered.mean()),
            spread=float(ordered.std()),
            freedom=freedom,
            ranks=tuple(ranks.tolist()),
            scores=tuple(ordered[ranks - 1].tolist()),
        )

    def p_values(self, scores: Tensor) -> Tensor:
        """(m,) float64 p-values of new scores: how often an image of the classes looks so strange.

        The share ``(1 + #{left out ≤ score}) / (n + 1)`` (conformal p-value: Vovk et al., 2005;
        Bates et al., *Testing for Outliers with Conformal p-values*, Annals of Statistics 2023):
        at most α with a chance of at most α, whatever the distribution of exchangeable scores.
        Scores below all n, of which it says no more than ``1 / (n + 1)``, are told apart by the
        lower tail of a normal prediction interval (Student's t for one more observation), where
        that is lower.

        So a p-value is above a false-rejection rate exactly where a score reaches the
        :func:`adapters.out_of_distribution.rejection_threshold` of that rate.

        Args:
            scores: (m,) out-of-distribution scores.
        """
        new = scores.double()
        kept = torch.tensor(self.scores, dtype=torch.float64)
        ranks = torch.tensor(self.ranks, dtype=torch.float64)
        above = torch.searchsorted(kept, new, right=True).clamp(max=len(kept) - 1)
        low, high = (above - 1).clamp(min=0), above
        # Between two that are kept, how many of those between them are lower is interpolated.
        width = (kept[high] - kept[low]).clamp(min=torch.finfo(torch.float64).tiny)
        share = ((new - kept[low]) / width).clamp(0, 1)
        lower = ranks[low] + share * (ranks[high] - 1 - ranks[low])
        lower = torch.where(new >= kept[-1], float(self.count), lower)
        p_values = (1 + lower) / (self.count + 1)
        return torch.where(new < kept[0], self._tail(new), p_values).clamp(min=LEAST)

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's own types, as it is stored."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"ranks": list(self.ranks), "scores": list(self.scores)}

    def _tail(self, scores: Tensor) -> Tensor:
        """Of scores below all: at most ``1 / (n + 1)``."""
        margin = max(self.spread, torch.finfo(torch.float64).tiny) * math.sqrt(1 + 1 / self.freedom)
        tail = stdtr(self.freedom, ((scores - self.mean) / margin).numpy())
        return torch.from_numpy(tail).clamp(max=1 / (self.count + 1))
