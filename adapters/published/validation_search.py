"""Search of α, β and γ on a validation set: the setting of the highest accuracy on a grid.

The authors evaluate every setting of the grid by itself (200 000 of Tip-X, each over all
validation images and classes). Here all values of α are counted at once: at given β and γ a logit
is linear in α, so the class that is true wins on an interval of α, and how many intervals cover
each α is what is asked for. That is exact, and takes 1000 passes instead of 200 000; classes that
never come near the true one on the whole grid are left out of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adapters.published.block import Block

# Elements of what is compared at a time, in float64: 32 MiB each.
_AT_A_TIME = 1 << 22


@dataclass(frozen=True, slots=True)
class Grid:
    """Values that are tried, in ascending order."""

    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    gammas: tuple[float, ...]


def _evenly(most: float, n: int) -> tuple[float, ...]:
    return tuple(float(value) for value in np.linspace(0, most, n))


PUBLISHED_GRID = Grid(_evenly(20, 200), _evenly(20, 20), _evenly(30, 50))
"""Of Kravets & Namboodiri, BMVC 2024 (``run.py`` of their code): both ends are included."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Hyperparameters of one head; those that it has no use for are 0.

    Attributes:
        alpha: α, the weight of the votes.
        beta: β, their sharpness.
        gamma: γ, the weight of the signatures.
    """

    alpha: float = 0.0
    beta: float = 0.0
    gamma: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What the search found.

    Attributes:
        setting: The best one; of several the one with the least α, then β, then γ.
        accuracy: Of the validation images, as a fraction.
        settings: How many were tried.
    """

    setting: Setting
    accuracy: float
    settings: int


def search(blocks: Iterable[Block], grid: Grid = PUBLISHED_GRID) -> Found:
    """Choose the setting of the highest accuracy.

    Args:
        blocks: Of the validation images, in parts that fit into memory; one at least. γ is
            searched where they have signatures.
        grid: Values to try.

    Raises:
        ValueError: There are no validation images.
    """
    total, n, gammas = None, 0, grid.gammas
    for block in blocks:
        gammas = grid.gammas if block.signatures is not None else (0.0,)
        counts = torch.stack(
            [_counts(block, beta, grid.alphas, gammas) for beta in grid.betas], dim=1
        )
        total = counts if total is None else total + counts
        n += len(block.truth)
    if total is None or n == 0:
        raise ValueError("there are no validation images to search on")
    # The first of the largest, as `accuracy > best` in loops over α, β and γ finds it.
    place = int(np.argmax(total.cpu().numpy()))
    a, b, g = np.unravel_index(place, total.shape)
    setting = Setting(grid.alphas[a], grid.betas[b], gammas[g])
    return Found(setting, float(total.flatten()[place]) / n, total.numel())


def _counts(
    block: Block, beta: float, alphas: tuple[float, ...], gammas: tuple[float, ...]
) -> Tensor:
    """(A, G) int64 queries that are named rightly at each α and γ, at one β."""
    device = block.zero_shot.device
    values = torch.tensor(alphas, dtype=torch.float64, device=device)
    weights = torch.tensor(gammas, dtype=torch.float64, device=device)
    votes = block.votes(beta)
    counts = torch.zeros(len(values), len(weights), dtype=torch.int64, device=device)
    step = max(1, _AT_A_TIME // max(votes.shape[1], 1))
    for start in range(0, len(votes), step):
        rows = slice(start, start + step)
        signatures = None if block.signatures is None else block.signatures[rows]
        counts += _counts_of_rows(
            block.zero_shot[rows], votes[rows], signatures, block.truth[rows], values, weights
        )
    return counts


def _counts_of_rows(
    zero_shot: Tensor,
    votes: Tensor,
    signatures: Tensor | None,
    truth: Tensor,
    alphas: Tensor,
    gammas: Tensor,
) -> Tensor:
    """:func:`_counts` of some queries: (n, N) terms, (n,) truth, (A,) and (G,) values."""
    own = truth.unsqueeze(1)

    def ahead(term: Tensor) -> Tensor:
        """How far each class is ahead of the true one."""
        term = term.double()
        return term - term.gather(1, own)

    z, v = ahead(zero_shot), ahead(votes)
    s = torch.zeros_like(z) if signatures is None else ahead(signatures)
    least_v, most_v = _extremes(v, alphas)
    least_s, most_s = _extremes(s, gammas)
    highest, lowest = z + most_v + most_s, z + least_v + least_s
    # Rounding of sums must not decide who is left out.
    margin = 1e-9 * (1 + z.abs())
    alive = (lowest <= margin).all(dim=1, keepdim=True)
    compared = (highest >= -margin) & alive
    compared.scatter_(1, own, False)
    n, classes = compared.nonzero(as_tuple=True)
    # A tie goes to the class that comes first, as with argmax.
    loses_ties = classes < truth[n]
    z, v, s = z[compared], v[compared], s[compared]
    survivors = alive.squeeze(1)
    columns = []
    # As many values of γ at a time as fit: each is a query of its own.
    step = max(1, _AT_A_TIME // max(len(z), len(truth)))
    for some in torch.split(gammas, step):
        behind = torch.outer(some, s).add_(z)
        of = n + len(truth) * torch.arange(len(some), device=n.device).unsqueeze(1)
        low, high = _intervals(
            behind.flatten(),
            v.expand_as(behind).flatten(),
            of.flatten(),
            loses_ties.expand_as(behind).flatten(),
            alphas,
            len(some) * len(truth),
        )
        columns.append(_covered(low, high, survivors.repeat(len(some)), len(some), len(alphas)))
    return torch.cat(columns, dim=1)


def _covered(low: Tensor, high: Tensor, counted: Tensor, g: int, a: int) -> Tensor:
    """(a, g) how many of the intervals of indices [low, high) hold each of the a values.

    Args:
        low: (g · n,) first index.
        high: (g · n,) one past the last.
        counted: (g · n,) bool.
        g: Rows of intervals.
        a: Values.
    """
    ends = torch.zeros(g * (a + 1), dtype=torch.int64, device=low.device)
    rows = torch.arange(g, device=low.device).repeat_interleave(len(low) // g) * (a + 1)
    won = counted & (low < high)
    ones = torch.ones_like(rows[won])
    ends.index_add_(0, rows[won] + low[won], ones)
    ends.index_add_(0, rows[won] + high[won], -ones)
    return ends.view(g, a + 1)[:, :-1].cumsum(dim=1).T


def _extremes(difference: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest of ``value · difference`` over all values."""
    ends = difference * values.min(), difference * values.max()
    return torch.minimum(*ends), torch.maximum(*ends)


def _intervals(
    behind: Tensor, slope: Tensor, rows: Tensor, loses_ties: Tensor, alphas: Tensor, n: int
) -> tuple[Tensor, Tensor]:
    """The α at which each query is named rightly: (n,) first index and (n,) one past the last.

    Args:
        behind: (P,) how far the true class is behind a class of a query at α = 0.
        slope: (P,) what it falls behind further as α grows by 1.
        rows: (P,) the queries.
        loses_ties: (P,) bool, whether a tie goes to the other class.
        alphas: (A,) in ascending order.
        n: Number of queries.
    """
    # Rightly means behind + α · slope < 0, or = 0 where ties are won.
    flat = slope == 0
    bounds = -behind / slope
    held = torch.where(loses_ties, behind < 0, behind <= 0)
    bounds[flat] = torch.where(held, torch.inf, -torch.inf)[flat].to(bounds.dtype)
    above = slope < 0

    def nearest(which: Tensor, *, largest: bool) -> Tensor:
        start = bounds.new_full((n,), -torch.inf if largest else torch.inf)
        reduce = "amax" if largest else "amin"
        return start.scatter_reduce_(0, rows[which], bounds[which], reduce)

    low = torch.maximum(
        torch.searchsorted(alphas, nearest(above & loses_ties, largest=True), right=True),
        torch.searchsorted(alphas, nearest(above & ~loses_ties, largest=True)),
    )
    high = torch.minimum(
        torch.searchsorted(alphas, nearest(~above & loses_ties, largest=False)),
        torch.searchsorted(alphas, nearest(~above & ~loses_ties, largest=False), right=True),
    )
    return low, high
