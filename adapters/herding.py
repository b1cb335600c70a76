"""MaxHerding: which images of a pool, once registered, stand for the others best.

Greedy maximisation of generalised coverage (Bae, Noh & Sutherland, *Generalized Coverage for More
Robust Low-Budget Active Learning*, ECCV 2024, arXiv 2407.12212): the mean over the pool's images x
of ``max k(x, x')`` over the chosen images and the support images x', with
``k(x, x') = exp(−(1 − cos(x, x')) / q)``. Coverage is monotone and submodular, so that the greedy
choice gains at least 1 − 1/e of the most that as many images can gain (Nemhauser, Wolsey & Fisher,
1978), and gains can be evaluated lazily (Minoux, 1978).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.measures.blocks import row_blocks

#: Images of a pool over which coverage is the mean: evenly spaced ones, where there are more.
REFERENCES = 2048
#: Of 1 − cos: pictures that are nearer are copies of one photo, of another size or compression.
SAME_PICTURE = 0.01
#: The quantile of 1 − cos between images of the pool that is q.
QUANTILE = 0.1
# Of how many images, evenly spaced, all pairs count for that.
_PAIRED = 512
# Support images that others are compared with at a time: few enough that many others are, too.
_BLOCK = 4096
# What two images must differ by at the least, so that a pool of one picture has a kernel.
_LEAST_WIDTH = 1e-6
# Gains that are equal to so many digits are equal: rounding must not choose.
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Herd:
    """Images chosen from a pool, best first.

    Attributes:
        rows: (n,) int64 rows of the pool, each once.
        gains: (n,) float64: by how much each raises coverage on top of those before it, to six
            digits.
        coverage: (n,) float64 in [0, 1]: coverage with it and those before it.
    """

    rows: Tensor
    gains: Tensor
    coverage: Tensor


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest support image of each of m images.

    Attributes:
        rows: (m,) int64 rows of the support images; 0 where there are none.
        similarities: (m,) cosine similarities; −1 where there are none.
    """

    rows: Tensor
    similarities: Tensor

    @property
    def same_picture(self) -> Tensor:
        """(m,) bool: whether it is a copy of that support image."""
        return self.similarities >= 1 - SAME_PICTURE


def nearest(images: Tensor, support: Tensor) -> Nearest:
    """Find the nearest of s support images for each of m images, in blocks; O(m · s · d).

    Args:
        images: (m, d) unit vectors.
        support: (s, d) unit vectors; s may be 0.
    """
    rows = torch.zeros(len(images), dtype=torch.int64)
    similarities = images.new_full((len(images),), -1.0)
    for start in range(0, len(support), _BLOCK):
        block = support[start : start + _BLOCK]
        for some in row_blocks(len(images), len(block)):
            best = (images[some] @ block.T).max(dim=1)
            nearer = best.values > similarities[some]
            similarities[some] = torch.where(nearer, best.values, similarities[some])
            rows[some] = torch.where(nearer, best.indices + start, rows[some])
    return Nearest(rows, similarities)


def herd(pool: Tensor, held: Tensor, n: int) -> Herd:
    """Choose up to n images of a pool, greedily, on top of the support images.

    Copies of a support image, or of a chosen one, are passed over, so that there may be fewer.
    Of equal gains the first row's is taken. Costs O(m · min(m, 2048) · d) time, and memory for
    min(m, 2048) values an image.

    Args:
        pool: (m, d) unit vectors.
        held: (m,) cosine similarity of each with its nearest support image; −1: there is none.
        n: How many at most.
    """
    rows = pool.numpy()
    placed = np.arange(min(len(rows), REFERENCES))
    placed = placed * len(rows) // max(1, len(placed))
    references = rows[placed]
    width = _width(references)
    covered = _kernel(held.numpy()[placed], width)
    covered[held.numpy()[placed] <= -1] = 0
    kernel = np.empty((len(rows), len(references)), np.float32)
    for some in row_blocks(len(rows), len(references)):
        kernel[some] = _kernel(rows[some] @ references.T, width)
    chosen: list[int] = []
    gains: list[float] = []
    coverage: list[float] = []
    # Gains only shrink, so that the best of those that were not looked at again are bounds.
    bounds = [
        (-_gain(kernel[row], covered), row)
        for row in np.flatnonzero(held.numpy() < 1 - SAME_PICTURE).tolist()
    ]
    heapq.heapify(bounds)
    while bounds and len(chosen) < n:
        row = heapq.heappop(bounds)[1]
        if chosen and float((rows[chosen] @ rows[row]).max()) >= 1 - SAME_PICTURE:
            continue
        gain = _gain(kernel[row], covered)
        if bounds and bounds[0] < (-gain, row):
            heapq.heappush(bounds, (-gain, row))
            continue
        chosen.append(row)
        gains.append(gain)
        np.maximum(covered, kernel[row], out=covered)
        coverage.append(float(covered.mean(dtype=np.float64)))
    return Herd(
        torch.tensor(chosen, dtype=torch.int64),
        torch.tensor(gains, dtype=torch.float64),
        torch.tensor(coverage, dtype=torch.float64),
    )


def herd_classes(pool: Tensor, labels: Tensor, held: Tensor, n: int) -> Herd:
    """Choose up to n images of each class of a labelled pool, by coverage of that class alone.

    The first image of every class comes first, then the second, those that gain most before the
    others; gains and coverage are those within the class.

    Args:
        pool: (m, d) unit vectors.
        labels: (m,) int64 classes.
        held: (m,) cosine similarity of each with the nearest support image of its class; −1: none.
        n: How many of each class at most.
    """
    order: list[tuple[int, float, int, float]] = []
    for label in sorted(set(labels.tolist())):
        rows = (labels == label).nonzero().flatten()
        found = herd(pool[rows], held[rows], n)
        values = zip(
            found.gains.tolist(),
            rows[found.rows].tolist(),
            found.coverage.tolist(),
            strict=True,
        )
        order += [(turn, -gain, row, reached) for turn, (gain, row, reached) in enumerate(values)]
    order.sort()
    return Herd(
        torch.tensor([row for _, _, row, _ in order], dtype=torch.int64),
        torch.tensor([-gain for _, gain, _, _ in order], dtype=torch.float64),
        torch.tensor([reached for *_, reached in order], dtype=torch.float64),
    )


def _width(references: NDArray[Any]) -> float:
    """The kernel's q: how far apart images of the pool are that are near to each other."""
    n = min(len(references), _PAIRED)
    if n < 2:
        return 1.0
    some = references[np.arange(n) * len(references) // n]
    pairs = 1 - (some @ some.T)[np.tri(n, k=-1, dtype=bool)]
    return max(float(np.quantile(pairs, QUANTILE)), _LEAST_WIDTH)


def _kernel(similarities: NDArray[Any], width: float) -> NDArray[Any]:
    kernel: NDArray[Any] = np.exp(np.minimum(similarities - 1, 0) / width)
    return kernel


def _gain(row: NDArray[Any], covered: NDArray[Any]) -> float:
    """By how much an image raises coverage, rounded: ties are told by it."""
    return round(float(np.maximum(row - covered, 0).mean(dtype=np.float64)), _DIGITS)
