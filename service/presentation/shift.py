"""JSON and words of a shift: recent queries that the support set cannot vouch for."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from adapters.shift import LEAST, WINDOW, Shift


class ShiftOut(BaseModel):
    """Whether recent queries look less familiar than the support images do to each other."""

    queries: int = Field(
        ge=LEAST,
        le=WINDOW,
        description="The most recent queries of this classifier that this process has answered"
        f" since the classifier was loaded or tuned, at most {WINDOW}, without those that were"
        " taken for a class without images.",
    )
    mean_p_value: float = Field(
        ge=0,
        le=1,
        description="Mean of their `p_value`: about 0.5 where they are like the support images.",
    )
    detected: bool = Field(
        description="Whether that is lower than chance explains, at one false alarm in a hundred."
    )
    detail: str | None = Field(description="What it means, in a sentence; null: no shift.")

    @classmethod
    def of(cls, shift: Shift | None) -> Self | None:
        """The JSON of a shift; None where too few queries were seen."""
        if shift is None:
            return None
        return cls(
            queries=shift.queries,
            mean_p_value=shift.mean_p_value,
            detected=shift.detected,
            detail=sentence(shift.queries) if shift.detected else None,
        )


def sentence(queries: int) -> str:
    """What a detected shift of so many queries means, and how to mend it."""
    return (
        f"The last {queries} queries look less familiar than the support images do to each other: "
        "accuracy, probabilities and prediction sets measured on the support set may not hold for "
        "them. Register some of them."
    )
