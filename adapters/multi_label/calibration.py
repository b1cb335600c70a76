"""Probabilities of classes, each by itself: logistic regression on left-out scores, with a prior.

Platt scaling (Platt, 1999) of several terms at once. Slopes are shared by all classes, and each
class has an offset of its own that is drawn to the common one (a normal prior: empirical Bayes),
so that one image a class is enough to answer with, and many are listened to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.rest import Rest, no_rest

_TOLERANCE = 1e-4
_MAX_STEPS = 40


@dataclass(frozen=True, slots=True)
class LogisticPrior:
    """Normal priors, independent of each other.

    Attributes:
        means: Of the K slopes and, last, of the common offset.
        deviations: Standard deviations of these.
        of_classes: That of the offsets of classes around the common one.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    of_classes: float


@dataclass(frozen=True, slots=True)
class Logistic:
    """Slopes, the common offset and those of classes, by the highest posterior.

    Attributes:
        slopes: Of the K terms.
        offset: Common to all classes.
        of_classes: (N,) beside it.
        loss: Mean of −ln of the probability that each vote is given; None without votes.
    """

    slopes: tuple[float, ...]
    offset: float
    of_classes: NDArray[Any]
    loss: float | None


def logistic(
    terms: Sequence[Tensor],
    targets: Tensor,
    voting: Tensor,
    votes: Tensor,
    prior: LogisticPrior,
    base: float = 0.0,
    *,
    slopes: tuple[float, ...] | None = None,
    offset: float | None = None,
    rest: Rest = no_rest,
) -> Logistic:
    """Fit ``σ(base + Σ w_k term_k + b + δ_c)`` by Newton's method; the problem is convex.

    Args:
        terms: K of (m, N), each row without its own image.
        targets: (m, N) bool.
        voting: (N,) bool: classes that are judged; the others have no offset of their own.
        votes: (m,) what each image counts, in each of these classes.
        prior: What to believe without votes, and with which certainty.
        base: Log-odds that are known beforehand.
        slopes: Taken as they are, with ``offset``: only those of classes are fitted.
        offset: The common one.
        rest: Called between steps.
    """
    columns = voting.nonzero().flatten().numpy()
    of_classes = np.zeros(targets.shape[1])
    means = np.array(prior.means)
    if slopes is not None and offset is not None:
        means = np.array([*slopes, offset])
        # Of other terms than the prior, perhaps; they stay where they are.
        prior = LogisticPrior((*slopes, offset), (1.0,) * len(means), prior.of_classes)
    if len(columns) == 0 or len(targets) == 0:
        return Logistic(tuple(means[:-1].tolist()), float(means[-1]), of_classes, None)
    problem = _Problem(
        np.stack([term.double().numpy()[:, columns] for term in terms]),
        targets.numpy()[:, columns].astype(float),
        votes.double().numpy()[:, None],
        means,
        prior,
        base,
        is_fixed=slopes is not None,
    )
    weights, apart = means.copy(), np.zeros(len(columns))
    loss = problem.loss(weights, apart)
    for _ in range(_MAX_STEPS):
        step, step_apart = problem.step(weights, apart)
        share = 1.0
        while True:
            tried = weights - share * step, apart - share * step_apart
            after = problem.loss(*tried)
            if after <= loss + 1e-9 or share < _TOLERANCE:
                break
            share /= 2
        weights, apart, loss = *tried, after
        rest()
        if max(np.abs(step).max(), np.abs(step_apart).max()) < _TOLERANCE:
            break
    of_classes[columns] = apart
    return Logistic(
        tuple(weights[:-1].tolist()),
        float(weights[-1]),
        of_classes,
        problem.mean_loss(weights, apart),
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """The penalised loss of K slopes, an offset and those of P classes, and Newton's step.

    Attributes:
        values: (K, m, P) terms.
        wanted: (m, P) 0 or 1.
        counts: (m, 1) what each image counts.
        means: (K + 1,) of the prior.
        prior: Its deviations.
        base: Log-odds that are known beforehand.
        is_fixed: Whether slopes and offset stay at the means.
    """

    values: NDArray[Any]
    wanted: NDArray[Any]
    counts: NDArray[Any]
    means: NDArray[Any]
    prior: LogisticPrior
    base: float
    is_fixed: bool

    def logits(self, weights: NDArray[Any], apart: NDArray[Any]) -> NDArray[Any]:
        of_terms = np.tensordot(weights[:-1], self.values, 1)
        logits: NDArray[Any] = self.base + of_terms + weights[-1] + apart
        return logits

    def loss(self, weights: NDArray[Any], apart: NDArray[Any]) -> float:
        logits = self.logits(weights, apart)
        losses = self.counts * (np.logaddexp(0, logits) - self.wanted * logits)
        away = (weights - self.means) / self.prior.deviations
        far = apart / self.prior.of_classes
        return float(losses.sum() + (away @ away + far @ far) / 2)

    def mean_loss(self, weights: NDArray[Any], apart: NDArray[Any]) -> float:
        logits = self.logits(weights, apart)
        return float((np.logaddexp(0, logits) - self.wanted * logits).mean())

    def step(self, weights: NDArray[Any], apart: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Newton's: the offsets of classes are eliminated, as their block is diagonal."""
        chances = 1 / (1 + np.exp(-np.clip(self.logits(weights, apart), -500, 500)))
        missed = self.counts * (chances - self.wanted)
        spread = self.counts * chances * (1 - chances)
        own = 1 / self.prior.of_classes**2
        of_apart = missed.sum(axis=0) + own * apart
        curved = spread.sum(axis=0) + own
        if self.is_fixed:
            return np.zeros(len(weights)), of_apart / curved
        precision = 1 / np.square(self.prior.deviations)
        by_terms = np.einsum("kmp,mp->kp", self.values, spread)
        across = np.vstack([by_terms, spread.sum(axis=0)])
        gradient = np.append(np.einsum("kmp,mp->k", self.values, missed), missed.sum())
        gradient += precision * (weights - self.means)
        curvature = np.diag(precision)
        curvature[:-1, :-1] += np.einsum("kmp,lmp,mp->kl", self.values, self.values, spread)
        curvature[:-1, -1] += by_terms.sum(axis=1)
        curvature[-1, :-1] += by_terms.sum(axis=1)
        curvature[-1, -1] += spread.sum()
        reduced = curvature - (across / curved) @ across.T
        step = np.linalg.solve(reduced, gradient - across @ (of_apart / curved))
        return step, (of_apart - across.T @ step) / curved
