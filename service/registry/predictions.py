"""Predictions: what a classifier answers for an image."""

from __future__ import annotations

from dataclasses import dataclass

from service.problems import AnswerTooLarge


@dataclass(frozen=True, slots=True)
class RankedLabel:
    """A class as a candidate answer, with the two terms of its logit."""

    label: str
    probability: float
    zero_shot: float
    cache: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A support image that resembles the query; cosine similarity as the head sees it."""

    image_id: str
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image: candidates and evidence, best first.

    Attributes:
        top_k: The most probable classes.
        evidence: The nearest support images.
        known: Whether the image belongs to any of the classes.
        prediction_set: Classes that hold the right one as often as was asked; None where no
            coverage was asked for.
    """

    top_k: list[RankedLabel]
    evidence: list[Evidence]
    known: bool
    prediction_set: list[str] | None


def too_many_labels(images: int, most: int) -> AnswerTooLarge:
    """The refusal of an answer whose prediction sets hold more labels than that together."""
    return AnswerTooLarge(
        f"The prediction sets of {images} images would hold more than {most} labels together. Send "
        "fewer images in a request, or ask for a lower coverage (PUT the classifier with another)."
    )
