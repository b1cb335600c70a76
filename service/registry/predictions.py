"""Predictions: what a classifier answers for an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from adapters.answers import Answers, Several
from service.name_validation import NOT_THESE
from service.problems import AnswerTooLarge, NoClasses
from service.storage.records import SupportRecord
from service.tenancy import bare


@dataclass(frozen=True, slots=True)
class RankedLabel:
    """A class as a candidate answer, with the two terms of its logit."""

    label: str
    probability: float
    zero_shot: float
    cache: float


@dataclass(frozen=True, slots=True)
class LabelWithThreshold(RankedLabel):
    """One of several that an image may have, with the probability from which on it is given."""

    threshold: float


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
        p_value: Share of left-out support images that are no more familiar than it; None where
            there is nothing to tell by.
        prediction_set: Classes that hold the right one as often as was asked; None where no
            coverage was asked for.
        labels: Of a classifier whose images may have several: those that this one is given, the
            most probable first; None of any other.
    """

    top_k: Sequence[RankedLabel]
    evidence: list[Evidence]
    known: bool
    p_value: float | None
    prediction_set: list[str] | None
    labels: list[str] | None = None


def prediction_members(one: Prediction) -> dict[str, Any]:
    """The members of a prediction's JSON, as ``PredictionOut`` of the API describes them."""
    best = one.top_k[0]
    several = {} if one.labels is None else {"labels": one.labels}
    return {
        "label": best.label,
        "probability": best.probability,
        **several,
        "known": one.known,
        "p_value": one.p_value,
        "prediction_set": one.prediction_set,
        "top_k": one.top_k,
        "evidence": one.evidence,
    }


def too_many_labels(images: int, most: int) -> AnswerTooLarge:
    """The refusal of an answer whose prediction sets hold more labels than that together."""
    return AnswerTooLarge(
        f"The prediction sets of {images} images would hold more than {most} labels together. Send "
        "fewer images in a request, or ask for a lower coverage (PUT the classifier with another)."
    )


def shown_p_values(answers: Answers) -> list[float | None]:
    """The p-value of each of n answers; None where there is nothing to tell by."""
    if answers.p_values is None:
        return [None] * len(answers.known)
    return [None if math.isnan(p) else p for p in answers.p_values.tolist()]


def named(
    answers: Answers,
    top_k: int,
    labels: Sequence[str],
    support: Mapping[int, SupportRecord],
    label_of: Mapping[int, str],
) -> list[Prediction]:
    """The answers for n queries, with the names of what they speak of.

    Args:
        answers: As tensors, over N classes.
        top_k: Most candidates of each.
        labels: Of the N columns.
        support: The support images by their ids.
        label_of: Labels by ids of classes.
    """
    scores, sets = answers.scores, answers.prediction_sets
    ranked = answers.probabilities.sort(dim=1, descending=True, stable=True)
    first = ranked.indices[:, :top_k]
    top = zip(
        first.tolist(),
        ranked.values[:, :top_k].tolist(),
        scores.zero_shot.gather(1, first).tolist(),
        scores.cache.gather(1, first).tolist(),
        strict=True,
    )
    nearest = zip(scores.matches.ids.tolist(), scores.matches.similarities.tolist(), strict=True)
    known, p_values = answers.known.tolist(), shown_p_values(answers)
    held: list[list[str]] | list[None] = [None] * len(known)
    if sets is not None:
        held = [
            [labels[column] for column in columns[inside].tolist()]
            for columns, inside in zip(ranked.indices, sets.gather(1, ranked.indices), strict=True)
        ]
    answered = [
        Prediction(
            [RankedLabel(labels[column], *terms) for column, *terms in zip(*ranking, strict=True)],
            [
                Evidence(support[i].public_id, label_of[support[i].class_id], similarity)
                for i, similarity in zip(*matches, strict=True)
            ],
            is_known,
            p_value,
            labels_held,
        )
        for ranking, matches, is_known, p_value, labels_held in zip(
            top, nearest, known, p_values, held, strict=True
        )
    ]
    if answers.several is None:
        return answered
    return _with_several(answered, answers.several, ranked.indices, labels)


def _with_several(
    answered: list[Prediction], several: Several, ranked: Tensor, labels: Sequence[str]
) -> list[Prediction]:
    """The same answers with the labels that each image is given, and all thresholds."""
    threshold_of = dict(zip(labels, several.thresholds.tolist(), strict=True))
    given = several.labels.gather(1, ranked)
    return [
        replace(
            one,
            top_k=[
                LabelWithThreshold(
                    each.label,
                    each.probability,
                    each.zero_shot,
                    each.cache,
                    threshold_of[each.label],
                )
                for each in one.top_k
            ],
            labels=[labels[column] for column in columns[inside].tolist()],
        )
        for one, columns, inside in zip(answered, ranked, given, strict=True)
    ]


def nothing_to_choose_from(name: str, labels: Iterable[str]) -> NoClasses:
    """Why a classifier cannot answer.

    Args:
        name: Its name.
        labels: Of all its classes, negatives among them.
    """
    name = bare(name)
    if set(labels) - {NOT_THESE}:
        return NoClasses(
            f"Classifier {name!r} has classes but no images, and its class names carry "
            f"no meaning. POST images to /v1/classifiers/{name}/classes/LABEL/images."
        )
    return NoClasses(
        f"Classifier {name!r} has no classes yet. POST images to "
        f"/v1/classifiers/{name}/classes/LABEL/images, or declare classes by name with "
        f"PUT /v1/classifiers/{name}/classes/LABEL."
    )
