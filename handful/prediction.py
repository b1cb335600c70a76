"""Answers: what a classifier says of one image, and which image it asks for next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """A support image that resembles the query.

    Attributes:
        index: Of the image, in the order in which they were given to the classifier.
        label: Its class.
        similarity: Cosine similarity, as the head compares images.
    """

    index: int
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image.

    Attributes:
        label: The most probable class.
        probability: Its calibrated probability.
        known: Whether the image belongs to any of the classes (out-of-distribution detection):
            whether ``p_value`` is above ``false_rejection_rate``.
        p_value: Share of the support set's own images that look no more familiar, each left out
            of it; None where there is nothing to tell by.
        probabilities: Of all classes, the most probable first; they sum to one.
        prediction_set: Classes that hold the right one as often as ``coverage`` asks (split
            conformal prediction); None where no coverage was asked for.
        evidence: The support images nearest to it, the most similar first.
    """

    label: str
    probability: float
    known: bool
    p_value: float | None
    probabilities: dict[str, float]
    prediction_set: list[str] | None
    evidence: list[Evidence]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An image of a pool that is worth a label (MaxHerding, Bae et al., ECCV 2024).

    Attributes:
        index: Of the image in the pool.
        gain: By how much it raises coverage: of the pool, or of its class where that was given.
        coverage: What is reached with it and those before it, at most 1.
        nearest: The support image nearest to it; None where there are none.
    """

    index: int
    gain: float
    coverage: float
    nearest: Evidence | None
