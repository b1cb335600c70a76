"""Bursts in a support set: frames of a video, photos of one thing taken one after the other.

Images of a burst name each other when one of them is left out, so that leave-one-out promises what
no new photo keeps: on Caltech-101 with every support photo cropped, turned and brightened into
four, prediction sets that should hold the true class in 90 % of cases held it in 50 %
(docs/leave-one-out.md). So a burst takes part in the tuning once.

Two thresholds (hysteresis, as in Canny's edges): whether there are bursts at all is told by pairs
that are so close that different photos hardly ever are; where there are, whatever lies nearly as
close belongs to them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings, SupportSet
from adapters.rest import Rest, no_rest
from adapters.systematic_sampling import evenly
from adapters.tuning.near_duplicates import ROUNDING, looked_at, similarities

Images = TypeVar("Images", LabelledEmbeddings, SupportSet)

# What is typical of a class: this quantile of the distances within it. Not the median: of a class
# of two bursts, half of the pairs are within one. Not more: one mislabelled image, of eight, makes
# a quarter of the pairs.
TYPICAL = 0.65
# Nearest neighbours closer than this share of the typical distance show that there are bursts, if
# so many images have one. Of support sets of different photos, 1 in a hundred has as many.
SURE, LEAST_SHARE = 0.42, 0.2
# Images belong to a burst that are closer to it, on the mean, than this share. Where there are
# bursts of crops, turns and mirrorings, prediction sets then hold what they promise.
LIKELY = 0.7
# Images whose distances say what is typical of a class; more say the same.
_SAMPLE = 256
# Images gone through between two rests.
_LOOKED_AT = 64


def bursts(images: LabelledEmbeddings | SupportSet, *, rest: Rest = no_rest) -> Tensor:
    """(n,) the row of the first image of the burst of each; its own row if it is of none.

    Goes through each class in the order of its images: each joins the burst that it is closest to
    on the mean, or begins one. O(Σ shots² · d), no more than the products of each class with
    itself where there are no bursts.

    Args:
        images: The images.
        rest: Called every few milliseconds.
    """
    first = np.arange(len(images))
    keys = images.embeddings.corrected.numpy()
    classes = list(looked_at(images.labels, at_least=3))
    if not classes:
        return torch.from_numpy(first)
    nearest = np.full(len(images), np.inf, keys.dtype)
    typical = np.zeros(len(classes))
    for i, rows in enumerate(classes):
        cosines = similarities(keys[rows], rest)
        sample = evenly(len(rows), _SAMPLE).numpy()
        pairs = 1 - cosines[np.ix_(sample, sample)][np.tri(len(sample), k=-1, dtype=bool)]
        place = int(TYPICAL * (len(pairs) - 1))
        typical[i] = np.partition(pairs, place)[place]
        np.fill_diagonal(cosines, -np.inf)
        nearest[rows] = 1 - cosines.max(axis=1)
        rest()
    sure = 0
    for rows, distance in zip(classes, typical, strict=True):
        sure += int(np.count_nonzero(nearest[rows] <= max(SURE * distance, ROUNDING)))
    if sure == 0 or sure < LEAST_SHARE * len(images):
        return torch.from_numpy(first)
    for rows, distance in zip(classes, typical, strict=True):
        likely = max(LIKELY * distance, ROUNDING)
        if nearest[rows].min() <= likely:
            cosines = similarities(keys[rows], rest)
            first[rows] = rows[_joined(np.subtract(1, cosines, out=cosines), likely, rest)]
    return torch.from_numpy(first)


def _joined(distances: NDArray[Any], likely: float, rest: Rest) -> NDArray[np.int64]:
    """(n,) the first image of the burst of each, of a class by its (n, n) distances; O(n²)."""
    n = len(distances)
    of, begun, members = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.zeros(n)
    sums = np.empty_like(distances)  # of each burst's distances to every image
    n_bursts = 0
    for i in range(n):
        if i % _LOOKED_AT == 0:
            rest()
        means = sums[:n_bursts, i] / members[:n_bursts]
        closest = int(means.argmin()) if n_bursts else 0
        if n_bursts and means[closest] <= likely:
            sums[closest] += distances[i]
        else:
            closest, n_bursts = n_bursts, n_bursts + 1
            sums[closest], begun[closest] = distances[i], i
        members[closest] += 1
        of[i] = closest
    return begun[of]


def one_of_each_burst(images: Images, *, rest: Rest = no_rest) -> Images:
    """The images with the first of each burst; as they are where there are no bursts."""
    own = bursts(images, rest=rest) == torch.arange(len(images))
    return images if bool(own.all()) else images[own]
