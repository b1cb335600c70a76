"""Near-duplicates in a support set: frames of a video, photos taken one after the other.

They add little; reports list them. What takes no part in the tuning because of them, and of images
that are less close, are :mod:`adapters.tuning.bursts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings, SupportSet
from adapters.rest import Rest, no_rest

# Closer than this share of the median distance within the class. Copies of the same photo are
# below 0.4 of it, different photos rarely below 0.6.
CLOSENESS = 0.5
# Distances that float32 cannot tell from zero: the same picture.
ROUNDING = 1e-6
# Of a class; the distances of more are not looked at, their votes are drawn from many anyway.
MAX_IMAGES = 2048
# Rows of the similarities in one product, and images gone through between two rests.
_BLOCK, _LOOKED_AT = 512, 64


def near_duplicates(images: LabelledEmbeddings | SupportSet, *, rest: Rest = no_rest) -> Tensor:
    """(n,) the row of the image of which each is a near-duplicate; its own row if of none.

    Goes through each class in the order of its images: an image that is close to one that was
    kept before is a copy of the nearest such. O(Σ shots² · d).

    Args:
        images: The images.
        rest: Called every few milliseconds.
    """
    original = np.arange(len(images))
    keys = images.embeddings.corrected.numpy()
    for rows in looked_at(images.labels, at_least=3):
        n = len(rows)
        cosines = similarities(keys[rows], rest)
        least = cosines.min()
        np.fill_diagonal(cosines, -np.inf)
        nearest_pair = 1 - cosines.max()
        # The median is no larger than the largest distance: as a rule there is no need to find it.
        if nearest_pair > max(CLOSENESS * (1 - least), ROUNDING):
            continue
        distances = np.subtract(1, cosines, out=cosines)
        rest()
        middle = (n * (n - 1) // 2 - 1) // 2
        # Nor where so many are nearer that the median must be, too; each pair is there twice.
        too_near = np.count_nonzero(distances < nearest_pair / CLOSENESS) // 2
        rest()
        if nearest_pair > ROUNDING and too_near > middle:
            continue
        pairs = distances[np.tri(n, k=-1, dtype=bool)]
        rest()
        close = max(CLOSENESS * float(np.partition(pairs, middle)[middle]), ROUNDING)
        rest()
        if nearest_pair > close:  # far quicker than to go through them
            continue
        kept = np.zeros(n, dtype=bool)
        for i, row in enumerate(rows):
            if i % _LOOKED_AT == 0:
                rest()
            to_kept = np.where(kept, distances[i], np.inf)
            nearest = to_kept.argmin()
            if to_kept[nearest] <= close:
                original[row] = rows[nearest]
            else:
                kept[i] = True
    return torch.from_numpy(original)


def looked_at(labels: Tensor, *, at_least: int) -> Iterator[NDArray[np.int64]]:
    """Rows of the images of each class that has so many, and no more than ``MAX_IMAGES``.

    Args:
        labels: (n,) int64 class identifiers.
        at_least: Images of a class.
    """
    of = labels.numpy()
    by_class = of.argsort(kind="stable")
    ends = np.flatnonzero(np.diff(of[by_class])) + 1
    for rows in np.split(by_class, ends):
        if at_least <= len(rows) <= MAX_IMAGES:
            yield rows


def similarities(keys: NDArray[Any], rest: Rest) -> NDArray[Any]:
    """(n, n) of (n, d) keys, symmetric to the last digit; O(n² · d)."""
    n = len(keys)
    if n <= _BLOCK:
        rest()
        return np.asarray(keys @ keys.T)
    cosines = np.empty((n, n), keys.dtype)
    for start in range(0, n, _BLOCK):
        end = start + _BLOCK
        np.matmul(keys[start:end], keys[start:end].T, out=cosines[start:end, start:end])
        for before in range(0, start, _BLOCK):
            block = keys[start:end] @ keys[before : before + _BLOCK].T
            cosines[start:end, before : before + _BLOCK] = block
            cosines[before : before + _BLOCK, start:end] = block.T
            rest()
        rest()
    return cosines
