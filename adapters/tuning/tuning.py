"""What a head was set to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a head was set to, and on which evidence.

    Attributes:
        parameters: The head's hyperparameters by name (``alpha``, ``beta``).
        temperature: Logits are divided by it before the softmax that gives probabilities.
        votes: How many support images were scored by leave-one-out; 0 means that there was
            nothing to learn from and the parameters are the documented defaults.
        accuracy: Share of these votes that named the right class; None without votes.
    """

    parameters: dict[str, float]
    temperature: float
    votes: int = 0
    accuracy: float | None = None
