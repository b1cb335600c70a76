"""Learning curve: accuracy against images a class, from a support set alone, with its interval.

Parts of the support set answer for the images that they leave out, and leave-one-out for all of
it. Through these points goes a power law of the odds of an error,

    error / (1 - error) = exp(u) · shots ** -(v / log 2),

two numbers, found by Bayesian linear regression of the logits of accuracy on log₂ shots. Of few
votes little can be learnt, so the slope v starts from what it is on generic images
(benchmarks/learning_curves.py, docs/learning-curve.md). Power laws: Hestness et al., *Deep
Learning Scaling is Predictable, Empirically*, 2017; Viering and Loog, *The Shape of Learning
Curves: a Review*, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from adapters.held_out_votes import HeldOutVotes

Array = NDArray[np.float64]

#: Share of cases in which the truth is meant to lie in an interval.
COVERAGE = 0.9
#: Images a class, on the geometric mean, and images in all, below which there is no curve.
LEAST_SHOTS, LEAST_VOTES = 3.0, 12
# Gain of the logit by a doubling of the shots, before anything is seen: mean and deviation.
_SLOPE, _SLOPE_SPREAD = 0.4, 0.15
# By how much (deviation, in logits) points leave the line for reasons other than few votes.
_MISFIT = 0.1
# By how much a doubling that was not seen gains less than those that were: mean and deviation.
_BEND, _BEND_SPREAD = -0.1, 0.1
_SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected value, and the interval meant to hold the true one in ``COVERAGE`` of the cases."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Array) -> Self:
        """Mean and quantiles of (s,) samples."""
        tail = (1 - COVERAGE) / 2
        low, high = np.quantile(samples, (tail, 1 - tail))
        return cls(float(samples.mean()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Learning curve of the mean accuracy over classes, as samples of its posterior.

    Attributes:
        shots: (L,) images a class, geometric mean of the classes, of the points that were measured.
        measured: (L,) their accuracies.
        samples: (s, 3) level u and slope v of the logit, and how a doubling beyond what was seen
            differs from v.
    """

    shots: Array
    measured: Array
    samples: Array

    @classmethod
    def of(cls, votes: HeldOutVotes) -> Self | None:
        """Fit the curve; None where there is too little to go by."""
        columns = votes.columns[votes.voters]
        right = votes.right[:, votes.voters]
        if too_few(votes.columns):
            return None
        n_votes = len(columns)
        of_class = np.bincount(columns)
        voting = of_class > 0
        log_shots = np.log2(votes.shots[:, : len(of_class)][:, voting]).mean(axis=1)
        means = _class_means(right, columns)[:, columns]
        weight = 1 / (of_class[columns] * voting.sum())
        accuracy: Array = means @ weight
        # The same images vote at every level: what is chance in one point is so in the next.
        apart = right - means
        scale = weight**2 * of_class[columns] / (of_class[columns] - 1)
        noise = (apart * scale) @ apart.T
        smooth = (accuracy * n_votes + 0.5) / (n_votes + 1)
        to_logit = 1 / (smooth * (1 - smooth))
        noise = noise * np.outer(to_logit, to_logit)
        noise += np.diag(_MISFIT**2 + (0.5 / (n_votes + 1) * to_logit) ** 2)
        return cls(2**log_shots, accuracy, _posterior(log_shots, logit(smooth), noise))

    def logits(self, log_shots: float) -> Array:
        """(s,) samples of the logit of accuracy at so many images a class.

        Args:
            log_shots: log₂ of the images a class, mean of the classes.
        """
        level, slope, bend = self.samples.T
        unseen = max(log_shots - float(np.log2(self.shots[0])), 0.0)
        return np.asarray(level + slope * log_shots + bend * unseen)

    def accuracy(self, shots: float) -> Estimate:
        """Accuracy to expect of new images, at so many images a class."""
        return Estimate.of(expit(self.logits(float(np.log2(shots)))))

    def gain(self, before: Array, after: Array) -> Estimate:
        """Accuracy gained by going from so many images of each class to so many.

        Args:
            before: (N,) images of each class that has any.
            after: (N,) the same afterwards.
        """
        start, end = (self.logits(float(np.log2(shots).mean())) for shots in (before, after))
        return Estimate.of(expit(end) - expit(start))


def too_few(columns: NDArray[Any]) -> bool:
    """Whether images of so many of each class say too little for a curve.

    Args:
        columns: (n,) int64 column of the class of each image.
    """
    shots = np.bincount(columns)
    shots = shots[shots > 1]
    if len(shots) < 2 or shots.sum() < LEAST_VOTES:
        return True
    return bool(np.log2(shots).mean() < np.log2(LEAST_SHOTS) - 1e-9)


def _class_means(right: Array, columns: NDArray[Any]) -> Array:
    """(L, N) mean of each class's images at each level; 0 for a class without images."""
    sums = np.stack([np.bincount(columns, weights=level) for level in right])
    return np.asarray(sums / np.maximum(np.bincount(columns), 1))


def _posterior(log_shots: Array, logits: Array, noise: Array) -> Array:
    """(s, 3) samples of level, slope and bend: linear regression with a prior on the slope."""
    design = np.stack([np.ones_like(log_shots), log_shots], axis=1)
    precision = np.diag([1e-2, _SLOPE_SPREAD**-2])
    solved = np.linalg.solve(noise, np.column_stack([design, logits]))
    covariance = np.linalg.inv(design.T @ solved[:, :2] + precision)
    mean = covariance @ (design.T @ solved[:, 2] + precision @ [0.0, _SLOPE])
    normal = _standard_normal(3)
    line = mean + normal[:, :2] @ np.linalg.cholesky(covariance).T
    return np.column_stack([line, _BEND + _BEND_SPREAD * normal[:, 2]])


@cache
def _standard_normal(width: int) -> Array:
    """(s, width) samples of independent normal variables, always the same ones."""
    return np.random.default_rng(0).standard_normal((_SAMPLES, width))


def logit(p: Array) -> Array:
    """Log odds of probabilities."""
    return np.asarray(np.log(p) - np.log1p(-p))


def expit(x: Array) -> Array:
    """Probabilities of log odds."""
    return np.asarray(1 / (1 + np.exp(-x)))
