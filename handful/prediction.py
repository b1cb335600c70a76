"""Answers: what a classifier says of one image, and which image it asks for next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.classifier import Answers
from service.registry.predictions import shown_p_values


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


def named(answers: Answers, columns: Sequence[str], names: Sequence[str]) -> list[Prediction]:
    """Answers for n images as predictions, with labels for numbers.

    Args:
        answers: Of a classifier.
        columns: The labels that can be answered, in the order of the columns.
        names: All labels, as support images' labels number them.
    """
    ranked = answers.probabilities.sort(dim=1, descending=True, stable=True)
    matches, p_values = answers.scores.matches, shown_p_values(answers)
    predictions = []
    for i, (order, values) in enumerate(
        zip(ranked.indices.tolist(), ranked.values.tolist(), strict=True)
    ):
        labels = [columns[column] for column in order]
        held = None
        if answers.prediction_sets is not None:
            inside = answers.prediction_sets[i].tolist()
            held = [columns[column] for column in order if inside[column]]
        nearest = zip(
            matches.ids[i].tolist(),
            matches.labels[i].tolist(),
            matches.similarities[i].tolist(),
            strict=True,
        )
        predictions.append(
            Prediction(
                label=labels[0],
                probability=values[0],
                known=bool(answers.known[i]),
                p_value=p_values[i],
                probabilities=dict(zip(labels, values, strict=True)),
                prediction_set=held,
                evidence=[
                    Evidence(index, names[label], similarity)
                    for index, label, similarity in nearest
                ],
            )
        )
    return predictions
