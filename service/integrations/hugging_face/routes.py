"""``/hugging-face``: image classification, and zero-shot image classification."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request

from service.access.principal import principal_of
from service.api.deadlines import RequestTimeout, query_deadline
from service.api.dependencies import Name, ReadyParts
from service.api.image_quota import count_images
from service.api.json_documents import refusal
from service.api.json_images.items import Item
from service.api.json_images.receiving import fetched
from service.api.offloading import live_classifier
from service.api.predicting import answered
from service.composition import ServiceParts
from service.images.uploaded import UploadedImage
from service.integrations.hugging_face.payloads import Parameters, read_payload
from service.integrations.hugging_face.zero_shot import zero_shot
from service.registry.predictions import RankedLabel
from service.tenancy import bare, qualified

router = APIRouter(prefix="/hugging-face")

# Under which zero-shot takes turns with classifiers, none of which can be called so.
_KEY = ".zero-shot"
Answer = list[dict[str, Any]]


@router.post("/{name}")
async def image_classification(
    parts: ReadyParts, name: Name, request: Request, request_timeout: RequestTimeout = None
) -> Answer:
    """The classes of a classifier, the most probable first."""
    live = await live_classifier(parts, name)  # nothing is read for what is not there
    item, parameters = await read_payload(request, parts.settings)
    _check_classification(parameters, name, several=live.settings.multi_label)
    wait = query_deadline(request, parts.settings, request_timeout)
    received = partial(_images, request, parts, item)
    answer = await answered(parts, name, received, parameters.candidates, 0, wait)
    [prediction] = answer.predictions
    score = _logit if parameters.function_to_apply == "none" else _probability
    return [{"label": one.label, "score": score(one)} for one in prediction.top_k]


@router.post("")
async def zero_shot_image_classification(
    parts: ReadyParts, request: Request, request_timeout: RequestTimeout = None
) -> Answer:
    """The labels of the request, the most probable first; by the text tower, by no classifier."""
    item, parameters = await read_payload(request, parts.settings)
    labels = _labels(parameters)
    wait = query_deadline(request, parts.settings, request_timeout)
    [image] = await _images(request, parts, item)
    await count_images(request.scope, len(labels))  # texts cost what images do
    key = qualified(principal_of(request.scope).tenant, _KEY)
    ranked = await zero_shot(parts, image, labels, parameters.hypothesis_template, key, wait)
    return [{"label": label, "score": probability} for label, probability in ranked]


def _check_classification(parameters: Parameters, name: str, *, several: bool) -> None:
    """See that parameters mean something to a classifier.

    Raises:
        InvalidRequest: They do not.
    """
    if parameters.candidate_labels is not None or parameters.hypothesis_template is not None:
        one = "candidate_labels" if parameters.candidate_labels is not None else None
        raise refusal(
            [
                (
                    ("parameters", one or "hypothesis_template"),
                    f"is for zero-shot classification, which needs no classifier: POST to"
                    f" /hugging-face without {bare(name)!r}. A classifier answers its own classes",
                )
            ]
        )
    asked = parameters.function_to_apply
    if several and asked in ("softmax", "none"):
        why = "is 'sigmoid' of a classifier whose images may have several labels"
    elif not several and asked == "sigmoid":
        why = "is 'softmax', or 'none' for logits, of a classifier whose images have one label"
    else:
        return
    raise refusal([(("parameters", "function_to_apply"), why)])


def _labels(parameters: Parameters) -> list[str]:
    """The labels of a zero-shot request, each of them once.

    Raises:
        InvalidRequest: There are not two of them, or parameters are of the other task.
    """
    if parameters.candidate_labels is None:
        raise refusal(
            [
                (
                    ("parameters", "candidate_labels"),
                    "is missing. Name two labels or more, or a classifier in the path:"
                    " /hugging-face/CLASSIFIER",
                )
            ]
        )
    labels = list(dict.fromkeys(parameters.candidate_labels))
    if len(labels) < 2:
        raise refusal([(("parameters", "candidate_labels"), "has not two different labels")])
    for name in ("top_k", "function_to_apply"):
        if getattr(parameters, name) is not None:
            raise refusal([(("parameters", name), "is for image classification, not zero-shot")])
    return labels


async def _images(request: Request, parts: ServiceParts, item: Item) -> list[UploadedImage]:
    """The image of a request, which counts, and is fetched where it is a URL."""
    received = await fetched(request, parts, [item])
    return [one for one in received if isinstance(one, UploadedImage)]


def _probability(ranked: RankedLabel) -> float:
    return ranked.probability


def _logit(ranked: RankedLabel) -> float:
    return ranked.zero_shot + ranked.cache
