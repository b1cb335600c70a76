"""Votes of a cache on the support images themselves, each with its own key masked.

Taking image i out of a cache is masking column i of the affinity matrix, so one n × n product
serves every setting. The left-out image's class is judged by the mean of the keys that it keeps:
otherwise small classes would look worse than they will be when serving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from adapters.tuning.search import Term
from adapters.tuning.votes import Votes

# β: from "all keys vote alike" to "only the nearest does".
BETAS = tuple(2.0**k for k in range(13))
# Of a typical nearest key. Sharper votes differ by orders of magnitude from one query to the next:
# accuracy stays, calibration goes (expected error on Caltech-101, 16 shots: 7 % at 3, 10 % at 30).
MAX_EXPONENT = 3.0
# Rows of the affinity matrix that are held at a time where all of it is not needed.
_CHUNK = 1024


def cache_terms(
    keys: Tensor,
    columns: Tensor,
    votes: Votes,
    n_classes: int,
    values: Tensor | None = None,
    betas: tuple[float, ...] = BETAS,
) -> Iterator[Term[float]]:
    """One term for each setting of β, with votes of which a typical nearest key's is 1.

    A vote is exp(−βd), and at β = 64 that of a typical nearest key is 10⁻⁹; scaled so, weights
    of one size suit every β.

    Args:
        keys: (n, d) unit vectors.
        columns: (n,) int64 column of each key's class; all N classes have keys.
        votes: Who votes.
        n_classes: N.
        values: (n,) what each key's vote counts; alike if None.
        betas: The β to try, each twice the one before.

    Cost: one (v, n) product, and for each β a square of it and a product with the labels.
    """
    distance = 1 - keys[votes.rows] @ keys.T
    distance[torch.arange(len(votes)), votes.rows] = torch.inf  # leaves one out: exp(−∞) = 0
    labels = one_hot(columns, n_classes).to(keys.dtype)
    if values is not None:
        labels = labels * values.unsqueeze(1)
    left = left_out_shots(columns, n_classes, votes.rows).to(keys.dtype)
    balance = mean_shots(columns, n_classes) / left
    nearest = distance.amin(dim=1).median().item()
    weights = torch.exp(betas[0] * (nearest - distance))
    for beta in betas:
        if beta * nearest > MAX_EXPONENT and beta > betas[0]:
            break
        yield Term(beta, (weights @ labels) * balance, scale=math.exp(beta * nearest))
        weights.square_()  # from exp(−βd) to exp(−2βd), the next β


def left_out_votes(
    keys: Tensor, columns: Tensor, n_classes: int, beta: float, values: Tensor | None = None
) -> Tensor:
    """(n, N) mean vote of each class's keys on each key, at one β, its own key left out.

    Arguments as of :func:`cache_terms`. O(n² · d), in blocks of rows.
    """
    labels = one_hot(columns, n_classes).to(keys.dtype)
    if values is not None:
        labels = labels * values.unsqueeze(1)
    blocks = []
    for rows in torch.split(torch.arange(len(keys)), _CHUNK):
        weights = torch.exp(-beta * (1 - keys[rows] @ keys.T))
        weights[torch.arange(len(rows)), rows] = 0.0
        left = left_out_shots(columns, n_classes, rows).to(keys.dtype)
        blocks.append((weights @ labels) / left)
    return torch.cat(blocks)


def left_out_shots(columns: Tensor, n_classes: int, rows: Tensor) -> Tensor:
    """(m, N) images that each class keeps when the image in a row is left out; at least 1.

    Args:
        columns: (n,) int64 column of each support image's class.
        n_classes: N.
        rows: (m,) the images that are left out, one a row.
    """
    left = torch.bincount(columns, minlength=n_classes).float().repeat(len(rows), 1)
    left[torch.arange(len(rows)), columns[rows]] -= 1
    return left.clamp_(min=1)


def mean_shots(columns: Tensor, n_classes: int) -> float:
    """Images of a class on the mean of the classes that have any."""
    shots = torch.bincount(columns, minlength=n_classes)
    return len(columns) / max(int((shots > 0).sum()), 1)
