"""Near-duplicates in a support set: frames of a video, photos taken one after the other.

Each names the other when one is left out, so that leave-one-out promises what no new photo keeps.
On Caltech-101 with every support photo cropped, turned and brightened into four, prediction sets
that should hold the true class in 90 % of cases held it in 50 %; with the copies left out of the
tuning, in 88 to 91 % (docs/heads.md).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings, SupportSet
from adapters.rest import Rest, no_rest

Images = TypeVar("Images", LabelledEmbeddings, SupportSet)

# Closer than this share of the median distance within the class. Copies of the same photo are
# below 0.4 of it, different photos rarely below 0.6.
CLOSENESS = 0.5
# Distances that float32 cannot tell from zero: the same picture.
ROUNDING = 1e-6
# With fewer images than this that have a near-duplicate, closeness is chance, and a loss of votes.
LEAST_SHARE = 0.25
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
    labels = images.labels.numpy()
    by_class = labels.argsort(kind="stable")
    ends = np.flatnonzero(np.diff(labels[by_class])) + 1
    for rows in np.split(by_class, ends):
        n = len(rows)
        if not 3 <= n <= MAX_IMAGES:
            continue
        similarities = _similarities(keys[rows], rest)
        least = similarities.min()
        np.fill_diagonal(similarities, -np.inf)
        nearest_pair = 1 - similarities.max()
        # The median is no larger than the largest distance: as a rule there is no need to find it.
        if nearest_pair > max(CLOSENESS * (1 - least), ROUNDING):
            continue
        distances = np.subtract(1, similarities, out=similarities)
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


def _similarities(keys: NDArray[Any], rest: Rest) -> NDArray[Any]:
    """(n, n) of (n, d) keys, symmetric to the last digit; O(n² · d)."""
    n = len(keys)
    if n <= _BLOCK:
        rest()
        return np.asarray(keys @ keys.T)
    similarities = np.empty((n, n), keys.dtype)
    for start in range(0, n, _BLOCK):
        end = start + _BLOCK
        np.matmul(keys[start:end], keys[start:end].T, out=similarities[start:end, start:end])
        for before in range(0, start, _BLOCK):
            block = keys[start:end] @ keys[before : before + _BLOCK].T
            similarities[start:end, before : before + _BLOCK] = block
            similarities[before : before + _BLOCK, start:end] = block.T
            rest()
        rest()
    return similarities


def without_near_duplicates(images: Images, *, rest: Rest = no_rest) -> Images:
    """The images with one of each group of near-duplicates, if there are many such groups.

    Returns them as they are where fewer than a quarter of the images have a near-duplicate.
    """
    original = near_duplicates(images, rest=rest)
    duplicates = original != torch.arange(len(images))
    if not bool(duplicates.any()):
        return images
    involved = duplicates.clone()
    involved[original[duplicates]] = True
    if involved.float().mean() < LEAST_SHARE:
        return images
    return images[~duplicates]
