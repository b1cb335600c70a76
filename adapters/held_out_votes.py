"""Held-out votes: parts of a support set name the images that they leave out.

At each level half as many images of every class answer as at the one before, down to one; at the
first, all but the image that is asked for (leave-one-out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, LabelledEmbeddings, SupportSet
from adapters.rest import Rest, no_rest

#: Most images; their time grows with images times classes.
MAX_IMAGES = 2048
# Parts of each size. Those of one order of the images do not overlap.
_DRAWS = 4


@dataclass(frozen=True, slots=True)
class HeldOutVotes:
    """How often n support images were named rightly by others, at L levels.

    Attributes:
        columns: (n,) int64 column of the class of each image.
        shots: (L, N) images of each class that answer at each level.
        right: (L, n) share of the draws, of those that leave an image out, that name it rightly.
        voters: (n,) bool: not alone in their class. The others are never left out.
    """

    columns: NDArray[Any]
    shots: NDArray[Any]
    right: NDArray[np.float64]
    voters: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        fresh: Callable[[], FewShotClassifier],
        classes: ClassSet,
        images: LabelledEmbeddings,
        right: Tensor,
        *,
        rest: Rest = no_rest,
    ) -> Self:
        """Tune, fit and ask parts of the support set: the same ones for the same images.

        Costs about four full tunings.

        Args:
            fresh: Makes a classifier that is not fitted, for each part.
            classes: The N classes.
            images: At most ``MAX_IMAGES``, without near-duplicates.
            right: (n,) bool: whether leave-one-out names each image rightly.
            rest: Called as in a tuning.
        """
        columns = classes.columns(images.labels).numpy()
        shots = np.bincount(columns, minlength=len(classes))
        voters = shots[columns] > 1
        levels = [right.numpy().astype(np.float64)]
        sizes = [shots]
        for size in _halves(shots) if voters.any() else ():
            hits, times = np.zeros(len(columns)), np.zeros(len(columns))
            for kept in _draws(columns, shots, size):
                rest()
                out = np.flatnonzero(~kept)
                named = _named(fresh(), classes, images, np.flatnonzero(kept), out, rest)
                hits[out] += named == columns[out]
                times[out] += 1
            share = np.divide(hits, times, out=np.full(len(hits), np.nan), where=times > 0)
            levels.append(_filled(share, columns, voters))
            sizes.append(size)
        return cls(columns, np.stack(sizes), np.stack(levels), voters)


def _halves(shots: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Images of each class at each level after the first; never all of several, nor none of any."""
    divisor = 2
    while True:
        size = np.minimum(np.maximum((shots + divisor // 2) // divisor, 1), shots)
        yield size
        if size.max() <= 1:
            return
        divisor *= 2


def _draws(
    columns: NDArray[Any], shots: NDArray[Any], size: NDArray[Any]
) -> Iterator[NDArray[np.bool_]]:
    """(n,) which images answer: windows of a random order of each class, one after the other.

    Where all windows of an order have had their turn, another order follows.
    """
    n = len(columns)
    windows = np.maximum(shots // np.maximum(size, 1), 1)[columns]
    of_class = size[columns]
    ranks = np.stack([_ranks(columns, shots, seed) for seed in range(_DRAWS)])
    for draw in range(_DRAWS):
        rank = ranks[draw // windows, np.arange(n)]
        start = draw % windows * of_class
        yield (rank >= start) & (rank < start + of_class)


def _ranks(columns: NDArray[Any], shots: NDArray[Any], seed: int) -> NDArray[Any]:
    """(n,) place of each image in a random order of its class."""
    chance = np.random.default_rng(seed).random(len(columns))
    order = np.lexsort((chance, columns))
    starts = np.cumsum(shots) - shots
    ranks = np.empty(len(columns), dtype=np.int64)
    ranks[order] = np.arange(len(columns)) - starts[columns[order]]
    return ranks


def _named(
    asked: FewShotClassifier,
    classes: ClassSet,
    images: LabelledEmbeddings,
    kept: NDArray[Any],
    out: NDArray[Any],
    rest: Rest,
) -> NDArray[Any]:
    """(m,) column that the images kept, tuned by themselves, name each image left out."""
    part = images[torch.from_numpy(kept)]
    support = SupportSet(torch.arange(len(part)), part.labels, part.embeddings)
    asked.fit(classes, support, asked.tune(classes, part, rest=rest))
    answers = asked.answer(images.embeddings[torch.from_numpy(out)], 0)
    return np.asarray(answers.probabilities.argmax(dim=1).numpy())


def _filled(
    share: NDArray[np.float64], columns: NDArray[Any], voters: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Shares with the class's mean for images that no draw left out; voters only."""
    missing = np.isnan(share) & voters
    for column in np.unique(columns[missing]):
        own = columns == column
        share[own & missing] = np.nanmean(share[own])
    return share
