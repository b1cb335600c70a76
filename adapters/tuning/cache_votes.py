"""Votes of a cache on the support images themselves, each with its own key masked.

Taking image i out of a cache is masking column i of the affinity matrix, so one n × n product
serves every setting. The left-out image's class is judged by the mean of the keys that it keeps:
otherwise small classes would look worse than they will be when serving.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.rest import Rest, no_rest, parts
from adapters.tuning.search import Term
from adapters.tuning.votes import Votes

# β: from "all keys vote alike" to "only the nearest does".
BETAS = tuple(2.0**k for k in range(13))
# Of a typical nearest key. Sharper votes differ by orders of magnitude from one query to the next:
# accuracy stays, calibration goes (expected error on Caltech-101, 16 shots: 7 % at 3, 10 % at 30).
MAX_EXPONENT = 3.0
# Rows of the affinity matrix in one product, and of those held where all of it is not needed.
_CHUNK = 512


def cache_terms(
    keys: Tensor,
    columns: Tensor,
    votes: Votes,
    n_classes: int,
    values: Tensor | None = None,
    betas: tuple[float, ...] = BETAS,
    *,
    rest: Rest = no_rest,
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
        rest: Called every few milliseconds.

    Cost: one (v, n) product, and for each β a square of it and sums of its columns by class.
    """
    by_class = _ByClass.of(columns, n_classes)
    counts = None if values is None else values.numpy()[by_class.order]
    left = left_out_shots(columns, n_classes, votes.rows).to(keys.dtype)
    balance = mean_shots(columns, n_classes) / left
    # All of it stays in the memory of the similarities.
    weights = by_class.similarities(keys.numpy(), votes.rows.numpy(), rest)
    nearest = 1 - torch.from_numpy(weights.max(axis=1))
    typical = nearest.median().item()
    blocks = list(parts(len(weights), 16 * weights.shape[1]))
    for block in blocks:
        weights[block] -= 1
        weights[block] += typical
        weights[block] *= betas[0]
        np.exp(weights[block], out=weights[block])  # leaves one out: exp(−∞) = 0
        rest()
    for beta in betas:
        if beta * typical > MAX_EXPONENT and beta > betas[0]:
            break
        if beta > betas[0]:  # from exp(−βd) to exp(−2βd)
            for block in blocks:
                np.square(weights[block], out=weights[block])
                rest()
        sums = torch.from_numpy(by_class.sums(weights, counts, rest))
        yield Term(beta, sums * balance, scale=math.exp(beta * typical))


def left_out_votes(
    keys: Tensor,
    columns: Tensor,
    n_classes: int,
    beta: float,
    values: Tensor | None = None,
    *,
    rows: Tensor | None = None,
    rest: Rest = no_rest,
) -> Tensor:
    """(m, N) mean vote of each class's keys on keys, at one β, its own key left out.

    Arguments as of :func:`cache_terms`, and ``rows``: (m,) the keys that are voted on, all if
    None. O(m · n · d), in blocks of rows.
    """
    by_class = _ByClass.of(columns, n_classes)
    counts = None if values is None else values.numpy()[by_class.order]
    blocks = []
    for some in torch.split(torch.arange(len(keys)) if rows is None else rows, _CHUNK):
        weights = by_class.similarities(keys.numpy(), some.numpy(), rest)
        for block in parts(len(weights), 16 * weights.shape[1], rest):
            weights[block] -= 1
            weights[block] *= beta
            np.exp(weights[block], out=weights[block])
        left = left_out_shots(columns, n_classes, some).to(keys.dtype)
        blocks.append(torch.from_numpy(by_class.sums(weights, counts, rest)) / left)
    return torch.cat(blocks)


@dataclass(frozen=True, slots=True)
class _ByClass:
    """Keys in the order of their classes, so that a class's votes are summed where they lie.

    Attributes:
        order: (n,) the keys in this order.
        present: (P,) columns of the classes that have keys.
        starts: (P,) where these begin.
        n_classes: N.
    """

    order: NDArray[np.int64]
    present: NDArray[np.int64]
    starts: NDArray[np.int64]
    n_classes: int

    @classmethod
    def of(cls, columns: Tensor, n_classes: int) -> Self:
        order = columns.numpy().argsort(kind="stable")
        present, starts = np.unique(columns.numpy()[order], return_index=True)
        return cls(order, present, starts, n_classes)

    def similarities(self, keys: NDArray[Any], rows: NDArray[np.int64], rest: Rest) -> NDArray[Any]:
        """(m, n) of (m,) keys with all in this order; −∞ with itself. O(m · n · d)."""
        own = keys[rows]
        similarities = np.empty((len(own), len(keys)), keys.dtype)
        for some in parts(len(keys), _CHUNK * keys.shape[1]):
            of_some = keys[self.order[some]].T
            for start in range(0, len(own), _CHUNK):
                block = slice(start, start + _CHUNK)
                np.matmul(own[block], of_some, out=similarities[block, some])
                rest()
        position = np.empty_like(self.order)
        position[self.order] = np.arange(len(self.order))
        similarities[np.arange(len(own)), position[rows]] = -np.inf
        return similarities

    def sums(self, weights: NDArray[Any], counts: NDArray[Any] | None, rest: Rest) -> NDArray[Any]:
        """(m, N) sums over each class's keys of (m, n) weights, times what each key counts."""
        sums = np.zeros((len(weights), self.n_classes), weights.dtype)
        for block in parts(len(weights), 8 * weights.shape[1], rest):
            counted = weights[block] if counts is None else weights[block] * counts
            sums[block, self.present] = np.add.reduceat(counted, self.starts, axis=1)
        return sums


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
