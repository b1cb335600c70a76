"""What makes the steps of a run."""

from __future__ import annotations

from typing import Literal

import torch
from accelerate import Accelerator
from torch.nn.utils import clip_grad_norm_

from adapters.training.objective import Objective

Optimiser = Literal["adamw", "sgd"]
Decays = Literal["matrices", "all"]

_MOMENTUM = 0.9


def optimiser_of(
    objective: Objective,
    kind: Optimiser,
    *,
    learning_rate: float,
    weight_decay: float,
    decays: Decays,
) -> torch.optim.Optimizer:
    """Return the optimiser of all parameters of an objective that are learned.

    Args:
        objective: Whose parameters.
        kind: AdamW, or stochastic gradient descent with a momentum of 0.9.
        learning_rate: The peak of the schedule.
        weight_decay: Of AdamW it is decoupled from the gradient, of SGD a part of it.
        decays: ``matrices``: weights, but neither biases, norms nor single vectors. ``all``.
    """
    groups = objective.groups(learning_rate)
    if decays == "all":
        for group in groups:
            group["weight_decay"] = weight_decay
    if kind == "sgd":
        return torch.optim.SGD(
            groups, lr=learning_rate, momentum=_MOMENTUM, weight_decay=weight_decay
        )
    return torch.optim.AdamW(groups, weight_decay=weight_decay)


def clip_gradients(accelerator: Accelerator, objective: Objective) -> None:
    """Shorten gradients that are longer than an objective wants them.

    Args:
        accelerator: Knows what half precision has scaled them by.
        objective: Whose parameters; see `Objective.clip`.
    """
    if objective.clip is None:
        return
    if not objective.clip_each:
        accelerator.clip_grad_norm_(objective.parameters(), objective.clip)
        return
    accelerator.unscale_gradients()
    for parameter in objective.parameters():
        clip_grad_norm_(parameter, objective.clip)
