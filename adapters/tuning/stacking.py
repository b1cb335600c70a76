"""Stacking: how much each of several terms counts in one probability.

Stacked generalization (Wolpert, 1992) by multinomial logistic regression on left-out terms, with
an empirical-Bayes prior: a few votes hardly say how much to believe what, but other tasks do. The
fewer votes there are, the closer the weights stay to what suits most tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.rest import Rest, no_rest, parts
from adapters.tuning.votes import Votes

# What a vote counts: those of a class are of one another's images, and so not independent. Of
# 0.25, 0.5 and 1 the best cross-entropy on generic tasks of 2 to 8 shots (benchmarks/stacking.py).
VOTE = 0.5
_TOLERANCE = 1e-3
_MAX_STEPS = 40


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal prior of K weights, independent of each other.

    Attributes:
        means: Of each.
        deviations: Standard deviations.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]


def stacked_weights(
    terms: Sequence[Tensor], votes: Votes, prior: Prior, *, rest: Rest = no_rest
) -> tuple[float, ...]:
    """The K weights of the highest posterior: of ``softmax(Σ w_k · term_k)``, and of the prior.

    Targets are smoothed as those of :func:`adapters.tuning.temperature.smoothed_loss` are. The
    problem is convex: by Newton's method, 5 to 10 passes over the terms.

    Args:
        terms: K of (v, N), each row without its own image.
        votes: Who votes.
        prior: What to believe without votes, and with which certainty.
        rest: Called between passes over parts of the terms.
    """
    means = np.array(prior.means)
    if len(votes) == 0:
        return prior.means
    precision = 1 / np.square(prior.deviations)
    values = np.stack([term.double().numpy() for term in terms])
    problem = _Problem(values, votes)
    weights = means.copy()
    loss = problem.loss(weights, rest)
    for _ in range(_MAX_STEPS):
        gradient, curvature = problem.derivatives(weights, rest)
        gradient = gradient + precision * (weights - means)
        step = np.linalg.solve(curvature + np.diag(precision), gradient)
        share = 1.0
        while True:
            tried = weights - share * step
            away = tried - means
            after = problem.loss(tried, rest) + 0.5 * float(precision @ (away * away))
            if after <= loss + 1e-9 or share < _TOLERANCE:
                break
            share /= 2
        weights, loss = tried, after
        if np.abs(share * step / np.maximum(np.abs(weights), 1e-3)).max() < _TOLERANCE:
            break
    return tuple(float(weight) for weight in weights)


class _Problem:
    """The smoothed cross-entropy of v votes, and its derivatives by K weights.

    Args:
        values: (K, v, N) terms.
        votes: Who votes.
    """

    def __init__(self, values: NDArray[Any], votes: Votes) -> None:
        self._values, self._targets = values, votes.targets.numpy()
        self._shares = VOTE * len(votes) * votes.weights.numpy()
        smoothing = 1 / (len(votes) + 2)
        own = values[:, np.arange(len(votes)), self._targets]
        self._aim = (1 - smoothing) * own + smoothing * values.mean(axis=2)
        self._blocks = list(parts(values.shape[1], (16 + 24 * values.shape[0]) * values.shape[2]))

    def loss(self, weights: NDArray[Any], rest: Rest) -> float:
        total = -float(self._shares @ (weights @ self._aim))
        for block in self._blocks:
            logits = np.tensordot(weights, self._values[:, block], 1)
            top = logits.max(axis=1)
            spread = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
            total += float(self._shares[block] @ spread)
            rest()
        return total

    def derivatives(self, weights: NDArray[Any], rest: Rest) -> tuple[NDArray[Any], NDArray[Any]]:
        gradient = -(self._aim @ self._shares)
        curvature = np.zeros((len(weights), len(weights)))
        for block in self._blocks:
            some, shares = self._values[:, block], self._shares[block]
            logits = np.tensordot(weights, some, 1)
            chances = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances /= chances.sum(axis=1, keepdims=True)
            weighted = some * chances
            means = weighted.sum(axis=2)
            gradient += means @ shares
            curvature += np.einsum("kvn,lvn,v->kl", weighted, some, shares, optimize=True)
            curvature -= (means * shares) @ means.T
            rest()
        return gradient, curvature
