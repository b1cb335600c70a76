"""What a head was set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from adapters.tuning.left_out_scores import LeftOutScores


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The hyperparameters of a head: here, none.

    A head that has some declares them in its own module, as the fields of a subclass, all of them
    numbers. None stands for what a tuning does not say; what a head then does is its own matter.
    """

    def as_dict(self) -> dict[str, float]:
        """By name, without those of which the tuning does not speak: as stored and shown."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Self:
        """The reverse of :meth:`as_dict`; names that are not known are passed over.

        Raises:
            TypeError: One is missing that has to be there.
        """
        return cls(
            **{field.name: values[field.name] for field in fields(cls) if field.name in values}
        )


@dataclass(frozen=True, slots=True)
class Tuning:
    """The hyperparameters and temperature of a head, and on which evidence they were chosen.

    Attributes:
        parameters: The head's hyperparameters, of the type that it declares.
        temperature: Logits are divided by it before the softmax that gives probabilities.
        votes: How many support images were scored by leave-one-out; 0 means that there was
            nothing to learn from and the parameters are the documented defaults.
        accuracy: Share of these that named the right class, every class counting alike; None
            without votes.
        loss: Their smoothed cross-entropy at the temperature where it is lowest; None without
            votes.
        head: Name of the head that the parameters are for; empty where the head is its own.
        rejection_threshold: Queries with a lower out-of-distribution score are unknown; None:
            nothing is.
        conformal_threshold: Classes at least this probable are in the prediction set; None
            where no coverage was asked for.
        negatives_weight: What the margin of a query between classes and explicit negatives is
            multiplied by before it is added to its out-of-distribution score; None without any.
        negatives_centre: The mean margin, which is taken off it.
        left_out_scores: What p-values of out-of-distribution scores are read off; None where
            there are no two, and where a version of Handful wrote the tuning that kept none.
    """

    parameters: Parameters = Parameters()
    temperature: float = 1.0
    votes: int = 0
    accuracy: float | None = None
    loss: float | None = None
    head: str = ""
    rejection_threshold: float | None = None
    conformal_threshold: float | None = None
    negatives_weight: float | None = None
    negatives_centre: float = 0.0
    left_out_scores: LeftOutScores | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's own types, as it is stored."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        scores = self.left_out_scores
        return values | {
            "parameters": self.parameters.as_dict(),
            "left_out_scores": None if scores is None else scores.as_dict(),
        }
