"""``/v1/classifiers/{name}/predict``: predictions."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import WithJsonSchema

from adapters.embeddings import ImageEmbeddings
from service.api.deadlines import deadline_or_disconnect
from service.api.dependencies import Name, ReadyParts
from service.api.large_json import FEW, large_json
from service.api.offloading import run_blocking
from service.api.openapi.media_types import IMAGES_BODY
from service.api.openapi.responses import CLASSIFIER_NOT_FOUND, IMAGE_PROBLEMS, classifier_problems
from service.api.recipes import embedded_for
from service.api.schemas.predictions import (
    PredictionOut,
    PredictionsOut,
)
from service.api.uploads.image_uploads import read_images
from service.images.uploaded import UploadedImage
from service.name_validation import checked_classifier
from service.presentation.shift import ShiftOut
from service.problems import AnswerTooLarge, DeadlineExceeded, NoClasses
from service.registry.predictions import Prediction
from service.registry.query_batching import MOST_ROWS, check_rows

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["predictions"])
First = TypeVar("First")
Second = TypeVar("Second")


@router.post(
    "/predict",
    summary="Classify images",
    response_model=PredictionsOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND,
        NoClasses("Classifier 'land-cover' has no classes yet. POST images to ..."),
        AnswerTooLarge("The answer would name 200000 candidates and support images, for..."),
        *IMAGE_PROBLEMS,
        DeadlineExceeded("There was no answer within 0.5 s, and it is not worked on any more..."),
    ),
    openapi_extra=IMAGES_BODY,
)
async def predict(
    name: Name,
    parts: ReadyParts,
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
    ``evidence`` are the support images nearest to it. ``shift`` says whether the recent queries
    look like the support images at all.
    """
    images: list[UploadedImage] = []

    async def received() -> list[UploadedImage]:
        images = await read_images(request, parts.settings)
        if len(images) * (top_k + evidence) > MOST_ROWS:  # or fewer, if it has not as many
            asked = await run_blocking(parts.registry.live, name)
            check_rows(asked, len(images), top_k, evidence)
        return images

    async def embedded(fingerprint: str) -> ImageEmbeddings:
        seconds = min(parts.settings.predict_seconds, request_timeout or math.inf)
        wait = deadline_or_disconnect(request, seconds)
        return await parts.embedder.query(images, name, wait, fingerprint)

    async def embedded_at_once(fingerprint: str) -> ImageEmbeddings:
        nonlocal images
        images = await received()
        return await embedded(fingerprint)

    if parts.registry.in_memory(checked_classifier(name)) is not None:
        images = await received()
        live, queries = await embedded_for(parts, name, embedded)
    else:
        # Loading it takes a few milliseconds, which are not added to those of the encoder.
        usual = parts.store.fingerprint
        loading = run_blocking(parts.registry.live, name)
        live, queries = await both(loading, embedded_at_once(usual))
        if live.fingerprint != usual:
            live, queries = await embedded_for(parts, name, embedded)
    window = live.window
    predictions = await parts.answering.predict(live, queries, top_k, evidence)
    shift = ShiftOut.of(window.seen(predictions))
    if sum(map(_rows, predictions)) > FEW:
        fields = {"classifier": name, "shift": shift}
        return await large_json(fields, "predictions", predictions, PredictionOut.model_validate)
    return PredictionsOut.model_validate(
        {"classifier": name, "shift": shift, "predictions": predictions}
    )


def _rows(prediction: Prediction) -> int:
    return len(prediction.top_k) + len(prediction.evidence) + len(prediction.prediction_set or ())


async def both(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Results of two coroutines that run side by side; neither outlives this.

    Errors come as if they ran one after the other: the first one's ends the second and is raised
    whatever became of that; the second one's is raised once the first has its result.
    """
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await tasks[0], await tasks[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
