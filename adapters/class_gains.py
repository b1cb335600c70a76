"""What more images of one class are worth: gain of its recall, from few votes of its own.

A class of eight images has eight votes. Its recall is therefore pooled towards that of all
classes (a beta prior whose strength is how much the classes differ, by moments), and how it grows
is taken from the learning curve of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.held_out_votes import HeldOutVotes
from adapters.learning_curve import Estimate, LearningCurve, expit, logit

#: Votes below which a class says nothing of its own.
LEAST_CLASS_VOTES = 3
# Of what all classes gain when all get images, one gains by its own images alone; the rest comes
# from those of its rivals (benchmarks/learning_curves.py).
_ALONE = 0.5
# By how much (deviation, logits a doubling) classes differ in that.
_SPREAD = 0.2
# Levels of the votes by which classes are compared.
_LEVELS = 3
# Strength of the prior, in votes: between classes that have nothing in common, and all alike.
_WEAKEST, _STRONGEST = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class ClassGain:
    """What is known of one class.

    Attributes:
        recall: Of its own images, pooled with the other classes'.
        gain: Of the recall, by more images of this class alone.
    """

    recall: Estimate
    gain: Estimate


def class_gains(
    curve: LearningCurve, votes: HeldOutVotes, shots: NDArray[Any], more: int
) -> list[ClassGain | None]:
    """What so many more images of each class are worth; None for classes of too few votes.

    Args:
        curve: Of all classes.
        votes: What it was fitted to.
        shots: (N,) images that each class has, which may be more than voted.
        more: Images to add.
    """
    n_classes = len(shots)
    counts = np.bincount(votes.columns[votes.voters], minlength=n_classes)
    common = float(expit(curve.logits(float(np.log2(curve.shots[0])))).mean())
    hits = counts * np.clip(common + _apart(votes, n_classes), 0, 1)
    strength = _strength(hits[counts > 0], counts[counts > 0], common)
    found: list[ClassGain | None] = []
    chance = np.random.default_rng(0)
    bend = curve.samples[:, 2]
    slope = _ALONE * (curve.samples[:, 1] + bend)
    for hit, count, have in zip(hits, counts, shots, strict=True):
        if count < LEAST_CLASS_VOTES:
            found.append(None)
            continue
        right = hit + strength * common
        wrong = count - hit + strength * (1 - common)
        recall = np.clip(chance.beta(right, wrong, len(slope)), 1e-6, 1 - 1e-6)
        own_slope = slope + _SPREAD * chance.standard_normal(len(slope))
        after = expit(logit(recall) + own_slope * np.log2((have + more) / have))
        found.append(ClassGain(Estimate.of(recall), Estimate.of(after - recall)))
    return found


def _apart(votes: HeldOutVotes, n_classes: int) -> NDArray[Any]:
    """(N,) how much better than the mean each class is named, mean of the first levels.

    Leave-one-out alone has a few whole numbers of votes; parts of the support set tell classes
    apart that are even there (benchmarks/learning_curves.py).
    """
    columns = votes.columns[votes.voters]
    counts = np.bincount(columns, minlength=n_classes)
    shares = [
        np.bincount(columns, weights=level, minlength=n_classes) / np.maximum(counts, 1)
        for level in votes.right[:_LEVELS, votes.voters]
    ]
    apart = [share - share[counts > 0].mean() for share in shares]
    return np.asarray(np.mean(apart, axis=0))


def _strength(hits: NDArray[Any], counts: NDArray[Any], common: float) -> float:
    """How many votes the other classes' recall weighs, by the method of moments."""
    within = common * (1 - common)
    observed = float(np.mean((hits / counts - common) ** 2))
    between = observed - within * float(np.mean(1 / counts))
    if between <= 0:
        return _STRONGEST
    return float(np.clip(within / between - 1, _WEAKEST, _STRONGEST))
