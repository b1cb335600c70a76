"""Learning rate over a run: a linear warm-up, then half a cosine down to nothing."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimiser: Optimizer, steps: int, warmup: int) -> LambdaLR:
    """Return the schedule (Loshchilov & Hutter, ICLR 2017, after a warm-up).

    Args:
        optimiser: Whose learning rates are the peaks.
        steps: Optimiser steps of the run.
        warmup: How many of them rise.
    """

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))

    return LambdaLR(optimiser, factor)
