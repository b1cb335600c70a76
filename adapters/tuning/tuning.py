"""What a head was set to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a head was set to, and on which evidence.

    Attributes:
        parameters: The head's hyperparameters by name, such as ``alpha`` and ``beta``.
        temperature: Logits are divided by it before the softmax that gives probabilities.
        votes: How many support images were scored by leave-one-out; 0 means that there was
            nothing to learn from and the parameters are the documented defaults.
        accuracy: Share of these that named the right class, every class counting alike; None
            without votes.
        loss: Their smoothed cross-entropy at the temperature where it is lowest, by which
            ``auto`` compares heads; None without votes.
        head: Name of the head that the parameters are for; empty where the head is its own.
        rejection_threshold: Queries less familiar than this are unknown; None: nothing is.
        conformal_threshold: Classes at least this probable are in the prediction set; None
            where no coverage was asked for.
    """

    parameters: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    votes: int = 0
    accuracy: float | None = None
    loss: float | None = None
    head: str = ""
    rejection_threshold: float | None = None
    conformal_threshold: float | None = None
