"""The tuning that leave-one-out logits lead to, once the hyperparameters are chosen."""

from __future__ import annotations

from torch import Tensor

from adapters.rest import Rest, no_rest
from adapters.tuning.temperature import (
    calibrated_temperature,
    earned_temperature,
    smoothed_loss,
)
from adapters.tuning.tuning import Parameters, Tuning
from adapters.tuning.votes import Votes


def calibrated(
    parameters: Parameters, logits: Tensor, votes: Votes, *, rest: Rest = no_rest
) -> Tuning:
    """Calibrate the temperature, and measure what the votes say of this setting.

    Args:
        parameters: The hyperparameters that the logits were made with.
        logits: (v, N) scores of the voters, each without its own image.
        votes: Who votes; nobody leaves a temperature of 1.
        rest: Called every few milliseconds.
    """
    if len(votes) == 0:
        return Tuning(parameters)
    best = calibrated_temperature(logits, votes.targets, votes.weights, rest=rest)
    return Tuning(
        parameters,
        earned_temperature(logits, votes.targets, votes.weights, rest=rest),
        votes=len(votes),
        accuracy=votes.accuracy(logits),
        loss=smoothed_loss(logits, votes.targets, best, votes.weights),
    )
