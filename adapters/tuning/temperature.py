"""One temperature that makes probabilities mean what they say."""

from __future__ import annotations

import math

from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

_LOG_RANGE = (math.log(1e-2), math.log(1e4))


def smoothed_loss(logits: Tensor, targets: Tensor) -> float:
    """Cross-entropy with the target smoothing of Platt (1999).

    After n right votes out of n the chance of an error is still about 1 / (n + 2), so the
    targets keep that much mass on the other classes. Without it, a few easy images would
    call for a temperature of zero and for probabilities of one.

    Args:
        logits: (n, N) scores.
        targets: (n,) int64 columns of the true classes.
    """
    smoothing = 1 / (len(targets) + 2)
    return cross_entropy(logits, targets, label_smoothing=smoothing).item()


def calibrated_temperature(logits: Tensor, targets: Tensor) -> float:
    """Temperature that minimises :func:`smoothed_loss` (Guo et al., ICML 2017).

    About 25 passes over the (n, N) logits; the loss is convex in 1 / temperature.

    Returns:
        A temperature within [0.01, 10 000]; 1.0 where the logits say nothing (constant rows).
    """
    if not logits.numel() or bool((logits == logits[:, :1]).all()):
        return 1.0
    found = minimize_scalar(
        lambda log_t: smoothed_loss(logits / math.exp(log_t), targets),
        bounds=_LOG_RANGE,
        method="bounded",
        options={"xatol": 1e-3},
    )
    return math.exp(found.x)
