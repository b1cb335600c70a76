"""One temperature that makes probabilities mean what they say.

Two ways to choose it. The lowest cross-entropy compares settings and heads. The probabilities
that are given out have the mean confidence that the votes earned: a few votes that are far off
raise the first, which then leaves all others less sure than they may be.

Both are roots of increasing functions of 1 / temperature, found for many logits at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.rest import Rest, no_rest

# Of 1 / temperature times the standard deviation of the logits: from no preference to certainty.
_RANGE = (1e-3, 1e3)
# Of the logarithm of a temperature. Newton's last step leaves far less than its own length.
_TOLERANCE = 1e-3
# A step halves the logarithm of what is left of the range, or is Newton's.
_MAX_STEPS = 60
# Numbers that are looked at together: what a processor's second cache holds.
_BLOCK = 100_000

# For an inverse temperature of each setting: the function's values, and their derivatives.
_Function = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]


def smoothed_loss(
    logits: Tensor, targets: Tensor, temperature: float = 1.0, weights: Tensor | None = None
) -> float:
    """Cross-entropy at a temperature, with the target smoothing of Platt (1999).

    After n right votes out of n the chance of an error is still about 1 / (n + 2), so the
    targets keep that much mass on the other classes. Without it, a few easy images would
    call for a temperature of zero and for probabilities of one.

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
        temperature: Divides the logits.
        weights: (n,) share of each row, summing to one; alike if None.
    """
    smoothing = 1 / (len(targets) + 2)
    own = logits.gather(1, targets.unsqueeze(1)).squeeze(1)
    aim = (1 - smoothing) * own + smoothing * logits.mean(dim=1)
    losses = (logits / temperature).logsumexp(dim=1) - aim / temperature
    if weights is None:
        return float(losses.mean())
    return float(torch.dot(losses, weights.to(losses.dtype)))


def calibrated_temperature(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, *, rest: Rest = no_rest
) -> float:
    """Temperature that minimises :func:`smoothed_loss` (Guo et al., ICML 2017).

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
        weights: (n,) share of each row, summing to one; alike if None.
        rest: Called between passes over the logits.

    Returns:
        A temperature between a thousandth and a thousand times the spread of the logits; 1.0
        where they say nothing (constant rows).

    Cost: 5 to 10 passes over the (n, N) logits.
    """
    if not logits.numel():
        return 1.0
    if weights is None:
        weights = torch.full((len(targets),), 1 / len(targets), dtype=torch.float64)
    columns = logits.T.numpy()[None]
    return float(calibrated_temperatures(columns, targets.numpy(), weights.numpy(), rest)[0][0])


def calibrated_temperatures(
    logits: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any], rest: Rest = no_rest
) -> tuple[NDArray[Any], NDArray[Any]]:
    """As :func:`calibrated_temperature`, for S sets of logits of the same n votes at once.

    The loss is convex in s = 1 / temperature: its minimum is the root of its derivative
    ``Σ w (E[z] − aim)``, whose own is ``Σ w Var[z]``, over the softmax of s z.

    Args:
        logits: (S, N, n) scores, a class a row: sums over classes are then of long rows.
        targets: (n,) int64 columns of the true classes.
        weights: (n,) share of each vote, summing to one.
        rest: Called between passes over the logits.

    Returns:
        (S,) temperatures, and (S,) the losses that they give.
    """
    n = len(targets)
    smoothing, votes = 1 / (n + 2), np.arange(n)
    # Near a flat minimum, float32's rounding would choose for us.
    z, spread = _standardised(logits)
    aim = (1 - smoothing) * z[:, targets, votes] + smoothing * z.mean(axis=1)
    aimed = aim @ weights
    blocks = _blocks(z)

    def slope(inverse: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        value, derivative = -aimed, np.zeros_like(aimed)
        for block in blocks:
            part = z[:, :, block]
            e = np.exp(inverse[:, None, None] * part)
            total = e.sum(axis=1)
            e *= part
            mean = e.sum(axis=1) / total
            e *= part
            square = e.sum(axis=1) / total
            value = value + mean @ weights[block]
            derivative += (square - mean * mean) @ weights[block]
            rest()
        return value, derivative

    inverse = _root(slope, len(z))
    losses = -inverse * aimed
    for block in blocks:
        e = np.exp(inverse[:, None, None] * z[:, :, block])
        losses += np.log(e.sum(axis=1)) @ weights[block]
    says_nothing = ~z.any(axis=(1, 2))
    return np.where(says_nothing, 1.0, spread / inverse), losses


def earned_temperature(
    logits: Tensor, targets: Tensor, weights: Tensor, *, rest: Rest = no_rest
) -> float:
    """Temperature at which the mean confidence is the share of right answers.

    The share is Laplace's, (hits + 1) / (n + 2), for the same reason as the smoothing above.

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
        weights: (n,) share of each row, summing to one.
        rest: Called between passes over the logits.

    Returns:
        A temperature in the range of :func:`calibrated_temperature`, at the end of it where none
        is high or low enough; 1.0 where the logits say nothing.
    """
    n = len(targets)
    if not logits.numel():
        return 1.0
    hits = (logits.argmax(dim=1) == targets).double()
    earned = (n * float(torch.dot(hits, weights)) + 1) / (n + 2)
    z, spread = _standardised(logits.T.numpy()[None])
    if not z.any():
        return 1.0
    shares, blocks = weights.numpy(), _blocks(z)

    def excess(inverse: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        value, derivative = np.full(1, -earned), np.zeros(1)
        for block in blocks:
            part = z[:, :, block]
            e = np.exp(inverse[:, None, None] * part)
            # The largest is exp(0).
            confidence = 1 / e.sum(axis=1)
            e *= part
            value += confidence @ shares[block]
            derivative -= (confidence * confidence * e.sum(axis=1)) @ shares[block]
            rest()
        return value, derivative

    return float(spread[0] / _root(excess, 1)[0])


def _standardised(logits: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(S, N, n) logits less the best class's, of spread 1, and (S,) what they were divided by."""
    z = np.array(logits, np.float64, order="C")
    size = z[0].size
    spread = z.std(axis=(1, 2), ddof=1) if size > 1 else np.ones(len(z))
    spread[spread == 0] = 1.0
    z -= z.max(axis=1, keepdims=True)
    z /= spread[:, None, None]
    return z, spread


def _blocks(z: NDArray[Any]) -> list[slice]:
    sets, classes, n = z.shape
    step = max(_BLOCK // max(sets * classes, 1), 1)
    return [slice(start, start + step) for start in range(0, n, step)]


def _root(function: _Function, sets: int) -> NDArray[Any]:
    """(S,) where increasing functions are zero, or the end of the range that is nearer to it.

    Newton's steps, and a halving of the logarithm where one would leave what the root lies in.
    """
    lowest, highest = _RANGE
    low, high = np.full(sets, lowest), np.full(sets, highest)
    at = np.ones(sets)
    seen_low, seen_high = np.zeros(sets, dtype=bool), np.zeros(sets, dtype=bool)
    for _ in range(_MAX_STEPS):
        value, derivative = function(at)
        above = value > 0
        high, low = np.where(above, at, high), np.where(above, low, at)
        seen_high, seen_low = seen_high | above, seen_low | ~above
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = at - value / derivative
        # An end that was not looked at may be the answer.
        inside = (newton > low) & (newton < high)
        halved = np.sqrt(low * high)
        outside = np.where(
            above, np.where(seen_low, halved, lowest), np.where(seen_high, halved, highest)
        )
        following = np.where(value == 0, at, np.where(inside, newton, outside))
        moved = np.abs(np.log(following / at))
        at = following
        if moved.max(initial=0.0) <= _TOLERANCE:
            break
    return at
