"""Answers as PhotoPrism parses them: ``ApiResponse`` of its ``internal/ai/vision``.

Its members are ``id``, ``code``, ``error``, ``model`` and ``result``; a label has a ``name``, a
``source`` and a ``confidence``. The images of a request are crops of one picture (its middle, and
both of its sides), and the labels are those of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.api.integration import with_error
from service.registry.predictions import Prediction

# As its own labels of what a picture shows are marked; names that it does not know count for less.
_SOURCE = "image"


def labels_response(
    request_id: str, classifier: str, predictions: Sequence[Prediction]
) -> dict[str, Any]:
    """The answer to a request.

    A picture of nothing that is known has no labels, with the status of a success. That is the
    least harmful answer there is: it is read as no labels, or as the error "no result", which ends
    in a line of the debug log; in both cases nothing is written, where any label, such as
    "unknown", would be kept with the picture.

    Args:
        request_id: As the client wrote it.
        classifier: Its bare name.
        predictions: One for each image.
    """
    return {
        "id": request_id,
        "code": 200,
        "model": {"type": "labels", "name": classifier},
        "result": {"labels": _labels(predictions)},
    }


def as_vision_error(problem: Mapping[str, Any]) -> Mapping[str, Any]:
    """A problem document that is an error of its API as well: with ``code`` and ``error``."""
    return {**with_error(problem), "code": problem["status"]}


def _labels(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Labels of a picture, the most probable first, each with the best of its probabilities."""
    best: dict[str, float] = {}
    for one in predictions:
        for label, probability in _given(one):
            best[label] = max(probability, best.get(label, 0.0))
    ranked = sorted(best.items(), key=lambda found: -found[1])
    return [{"name": name, "source": _SOURCE, "confidence": value} for name, value in ranked]


def _given(one: Prediction) -> Iterator[tuple[str, float]]:
    """Labels of one image, where it looks like any class at all."""
    if not one.known:
        return
    if one.labels is None:
        yield one.top_k[0].label, one.top_k[0].probability
        return
    given = set(one.labels)
    yield from ((each.label, each.probability) for each in one.top_k if each.label in given)
