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
    n_classes = targets.shape[1]
    columns = voting.nonzero().flatten().numpy()
    none = np.zeros(n_classes)
    means = np.array(prior.means)
    if slopes is not None and offset is not None:
        means = np.array([*slopes, offset])
    if len(columns) == 0 or len(targets) == 0:
        return Logistic(tuple(means[:-1].tolist()), float(means[-1]), none, None)
    values = np.stack([term.double().numpy()[:, columns] for term in terms])
    wanted = targets.numpy()[:, columns].astype(float)
    counts = votes.double().numpy()[:, None]
    precision = 1 / np.square(prior.deviations)
    own = 1 / prior.of_classes**2
    weights, apart = means.copy(), np.zeros(len(columns))
    fixed = slopes is not None
    for _ in range(_MAX_STEPS):
        chances = _sigmoid(base + np.tensordot(weights[:-1], values, 1) + weights[-1] + apart)
        missed = counts * (chances - wanted)
        spread = counts * chances * (1 - chances)
        of_apart = missed.sum(axis=0) + own * apart
        curved = spread.sum(axis=0) + own
        step_of_weights = np.zeros(len(weights))
        across = np.vstack([np.einsum("kmn,mn->kn", values, spread), spread.sum(axis=0)])
        if not fixed:
            gradient = np.append(np.einsum("kmn,mn->k", values, missed), missed.sum())
            gradient += precision * (weights - means)
            curvature = np.diag(precision)
            curvature[:-1, :-1] += np.einsum("kmn,lmn,mn->kl", values, values, spread)
            curvature[:-1, -1] += across[:-1].sum(axis=1)
            curvature[-1, :-1] += across[:-1].sum(axis=1)
            curvature[-1, -1] += spread.sum()
            # The offsets of classes are eliminated: their block is diagonal.
            reduced = curvature - (across / curved) @ across.T
            step_of_weights = np.linalg.solve(reduced, gradient - across @ (of_apart / curved))
        step = (of_apart - across.T @ step_of_weights) / curved
        # Far from the optimum a whole step may overshoot.
        longest = max(np.abs(step).max(), np.abs(step_of_weights).max())
        share = min(1.0, 2.0 / longest) if longest > 0 else 1.0
        weights, apart = weights - share * step_of_weights, apart - share * step
        rest()
        if longest < _TOLERANCE:
            break
    chances = _sigmoid(base + np.tensordot(weights[:-1], values, 1) + weights[-1] + apart)
    likely = np.where(wanted > 0, chances, 1 - chances)
    of_classes = none
    of_classes[columns] = apart
    return Logistic(
        tuple(weights[:-1].tolist()),
        float(weights[-1]),
        of_classes,
        float(-np.log(np.maximum(likely, 1e-12)).mean()),
    )


def _sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
