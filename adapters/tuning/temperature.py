"""One temperature that makes probabilities mean what they say.

Two ways to choose it. The lowest cross-entropy compares settings and heads. The probabilities
that are given out have the mean confidence that the votes earned: a few votes that are far off
raise the first, which then leaves all others less sure than they may be.
"""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

# Of the temperature in standard deviations of the logits: from certainty to no preference.
_LOG_RANGE = (math.log(1e-3), math.log(1e3))


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
    logits: Tensor, targets: Tensor, tolerance: float = 1e-3, weights: Tensor | None = None
) -> float:
    """Temperature that minimises :func:`smoothed_loss` (Guo et al., ICML 2017).

    The loss is convex in 1 / temperature; 15 to 25 passes over the (n, N) logits.

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
        tolerance: Of the logarithm of the temperature.
        weights: (n,) share of each row, summing to one; alike if None.

    Returns:
        A temperature between a thousandth and a thousand times the spread of the logits; 1.0
        where they say nothing (constant rows).
    """
    if not logits.numel() or bool((logits == logits[:, :1]).all()):
        return 1.0
    logits = logits.double()  # near a flat minimum, float32 rounding would choose for us
    spread = logits.std().item()
    found = minimize_scalar(
        lambda log_t: smoothed_loss(logits, targets, spread * math.exp(log_t), weights),
        bounds=_LOG_RANGE,
        method="bounded",
        options={"xatol": tolerance},
    )
    return spread * math.exp(found.x)


def earned_temperature(logits: Tensor, targets: Tensor, weights: Tensor) -> float:
    """Temperature at which the mean confidence is the share of right answers.

    The share is Laplace's, (hits + 1) / (n + 2), for the same reason as the smoothing above.

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
        weights: (n,) share of each row, summing to one.

    Returns:
        A temperature in the range of :func:`calibrated_temperature`, at the end of it where none
        is high or low enough; 1.0 where the logits say nothing.
    """
    n = len(targets)
    if not logits.numel() or bool((logits == logits[:, :1]).all()):
        return 1.0
    logits = logits.double()
    hits = (logits.argmax(dim=1) == targets).double()
    earned = (n * float(torch.dot(hits, weights)) + 1) / (n + 2)
    spread = logits.std().item()

    def excess(log_t: float) -> float:
        confidence = (logits / (spread * math.exp(log_t))).softmax(dim=1).amax(dim=1)
        return float(torch.dot(confidence, weights)) - earned

    low, high = _LOG_RANGE
    if excess(high) >= 0:  # hardly better than guessing
        return spread * math.exp(high)
    if excess(low) <= 0:
        return spread * math.exp(low)
    return spread * math.exp(brentq(excess, low, high, xtol=1e-3))
