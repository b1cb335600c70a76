"""Learning rate and weight decay over a run, as functions of the step alone."""

from __future__ import annotations

import math
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Schedule = Literal["cosine", "constant", "floor", "epochs"]
"""How the learning rate goes over a run of n steps, w of which warm up, with a peak p.

``cosine``: rises to p by p/w a step, then half a cosine down to nothing (Loshchilov & Hutter,
ICLR 2017). ``constant``: p. ``floor``: rises from nothing to p within the warm-up, both included,
then half a cosine to the lowest rate (DINO, Caron et al., ICCV 2021). ``epochs``: the lowest rate
in the first epoch, then half a cosine that goes on after each epoch and is as long as the run with
its first epoch, so that it does not reach nothing (CoOp, Zhou et al., IJCV 2022)."""


def scheduled(
    optimiser: Optimizer,
    kind: Schedule,
    *,
    steps: int,
    per_epoch: int,
    warmup: int,
    lowest: float = 0.0,
) -> LambdaLR:
    """Return the schedule of an optimiser.

    Args:
        optimiser: Whose learning rates are the peaks; all are the same.
        kind: See `Schedule`.
        steps: Optimiser steps of the run.
        per_epoch: Of an epoch.
        warmup: How many warm up, of ``cosine`` and ``floor``.
        lowest: The lowest rate, of ``floor`` and ``epochs``.
    """
    share = lowest / float(optimiser.param_groups[0]["lr"])
    falling = max(steps - warmup, 1)

    def factor(step: int) -> float:
        if kind == "constant":
            return 1.0
        if kind == "epochs":
            epoch = step // per_epoch
            return _half_cosine((epoch - 1) * per_epoch / steps) if epoch else share
        if kind == "floor":
            if step < warmup:
                return step / max(warmup - 1, 1)
            return share + (1 - share) * _half_cosine((step - warmup) / falling)
        return (step + 1) / warmup if step < warmup else _half_cosine((step - warmup) / falling)

    return LambdaLR(optimiser, factor)


def rising_decay(optimiser: Optimizer, begin: float, end: float, done: float) -> None:
    """Let weight decay rise by half a cosine (DINO), except where there is none.

    Args:
        optimiser: Whose parameter groups are changed.
        begin: Weight decay of the first step.
        end: What it rises to.
        done: Share of the run that is done, in [0, 1].
    """
    for group in optimiser.param_groups:
        if group["weight_decay"]:
            group["weight_decay"] = end + (begin - end) * _half_cosine(done)


def _half_cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))
