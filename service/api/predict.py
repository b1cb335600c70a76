"""``/v1/classifiers/{name}/predict``: answers."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import WithJsonSchema

from adapters.embeddings import ImageEmbeddings
from service.api.beside import both
from service.api.dependencies import Name, ReadyRuntime, classifier_problems, reading
from service.api.large_json import FEW, large_json
from service.api.names import checked_classifier
from service.api.prediction_schemas import (
    EvidenceOut,
    PredictionOut,
    PredictionsOut,
    RankedLabelOut,
)
from service.api.support import BAD_IMAGES, IMAGES_BODY
from service.api.uploads import read_images
from service.api.waiting import attended
from service.problems import AnswerTooLarge, ClassifierNotFound, DeadlineExceeded, NoClasses
from service.registry.predictions import Prediction
from service.registry.query_batching import MOST_ROWS, check_rows

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["predictions"])


@router.post(
    "/predict",
    summary="Classify images",
    response_model=PredictionsOut,
    responses=classifier_problems(
        ClassifierNotFound("land-cover"),
        NoClasses("Classifier 'land-cover' has no classes yet. POST images to ..."),
        AnswerTooLarge("The answer would name 200000 candidates and support images, for..."),
        *BAD_IMAGES,
        DeadlineExceeded("There was no answer within 0.5 s, and it is not worked on any more..."),
    ),
    openapi_extra=IMAGES_BODY,
)
async def predict(
    name: Name,
    runtime: ReadyRuntime,
    request: Request,
    top_k: Annotated[int, Query(ge=1, le=1000, description="Candidates for each image.")] = 5,
    evidence: Annotated[
        int, Query(ge=0, le=100, description="Support images named for each image.")
    ] = 3,
    request_timeout: Annotated[
        float | None,
        Header(
            gt=0,
            allow_inf_nan=False,
            description="Seconds that the images may wait to be embedded, counted from when the"
            " whole request is here. The service has a limit of its own; the smaller one counts.",
            examples=[0.5],
        ),
        WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),  # a header is never null
    ] = None,
) -> PredictionsOut | Response:
    """Label and probability of each image, with the reasons: terms of the logit and evidence.

    ``zero_shot + cache`` is the logit; the probability is its softmax at the temperature that
    fits the support images. ``known`` says whether the image looks like any class at all, and
    ``evidence`` are the support images nearest to it.
    """

    async def embedded() -> ImageEmbeddings:
        images = await read_images(request, runtime.settings)
        if len(images) * (top_k + evidence) > MOST_ROWS:  # or fewer, if it has not as many
            asked = await reading(runtime.registry.live, name)
            check_rows(asked, len(images), top_k, evidence)
        seconds = min(runtime.settings.predict_seconds, request_timeout or math.inf)
        return await runtime.embedder.query(images, name, attended(request, seconds))

    in_memory = runtime.registry.in_memory(checked_classifier(name))
    if in_memory is not None:
        live, queries = in_memory, await embedded()
    else:
        # Loading it takes a few milliseconds, which are not added to those of the encoder.
        live, queries = await both(reading(runtime.registry.live, name), embedded())
    predictions = await runtime.answering.predict(live, queries, top_k, evidence)
    if sum(map(_rows, predictions)) > FEW:
        return await large_json({"classifier": name}, "predictions", predictions, _out)
    return PredictionsOut(classifier=name, predictions=[_out(p) for p in predictions])


def _rows(prediction: Prediction) -> int:
    return len(prediction.top_k) + len(prediction.evidence) + len(prediction.prediction_set or ())


def _out(prediction: Prediction) -> PredictionOut:
    best = prediction.top_k[0]
    return PredictionOut(
        label=best.label,
        probability=best.probability,
        known=prediction.known,
        prediction_set=prediction.prediction_set,
        top_k=[
            RankedLabelOut(
                label=ranked.label,
                probability=ranked.probability,
                zero_shot=ranked.zero_shot,
                cache=ranked.cache,
            )
            for ranked in prediction.top_k
        ],
        evidence=[
            EvidenceOut(image_id=shown.image_id, label=shown.label, similarity=shown.similarity)
            for shown in prediction.evidence
        ],
    )
