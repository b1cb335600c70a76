"""``/v1/classifiers/{name}/predict``: predictions.

The route documents them and takes every request; plain ones come by a shorter way, with the same
answers (:mod:`service.api.direct_predictions`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.deadlines import RequestTimeout, query_deadline
from service.api.dependencies import Name, ReadyParts
from service.api.job_requests import JOB_ACCEPTED, Prefer, accepted_job, with_job_input
from service.api.json_images.predicting import predicted_items
from service.api.json_images.reading import is_json
from service.api.json_images.receiving import received_items
from service.api.keyed_requests import IdempotencyKey
from service.api.openapi.media_types import IMAGES_BODY
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    IMAGE_PROBLEMS,
    ITEM_PROBLEMS,
    JOB_PROBLEMS,
    KEYED_PROBLEMS,
    classifier_problems,
)
from service.api.predicting import (
    CANDIDATES,
    EVIDENCE,
    MOST_CANDIDATES,
    MOST_EVIDENCE,
    predicted,
)
from service.api.schemas.predictions import PredictionsOut
from service.api.uploads.image_uploads import read_images
from service.problems import AnswerTooLarge, DeadlineExceeded, NoClasses

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["predictions"])


@router.post(
    "/predict",
    summary="Classify images",
    response_model=PredictionsOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND,
        NoClasses("Classifier 'land-cover' has no classes yet. POST images to ..."),
        AnswerTooLarge("The answer would name 200000 candidates and support images, for..."),
        *IMAGE_PROBLEMS,
        *ITEM_PROBLEMS,
        DeadlineExceeded("There was no answer within 0.5 s, and it is not worked on any more..."),
        *JOB_PROBLEMS,
        *KEYED_PROBLEMS,
    )
    | JOB_ACCEPTED,
    openapi_extra=with_job_input(IMAGES_BODY),
)
async def predict(
    name: Name,
    parts: ReadyParts,
    request: Request,
    top_k: Annotated[
        int, Query(ge=1, le=MOST_CANDIDATES, description="Candidates for each image.")
    ] = CANDIDATES,
    evidence: Annotated[
        int, Query(ge=0, le=MOST_EVIDENCE, description="Support images named for each image.")
    ] = EVIDENCE,
    request_timeout: RequestTimeout = None,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Label and probability of each image, with the reasons: terms of the logit and evidence.

    ``zero_shot + cache`` is the logit; the probability is its softmax at the temperature that
    fits the support images. ``known`` says whether the image looks like any class at all, and
    ``evidence`` are the support images nearest to it. ``shift`` says whether the recent queries
    look like the support images at all.

    A zip, or a folder of the service's machine, is answered with 202 and a job, of which there is
    one however often it is asked for with the same `Idempotency-Key`.
    """
    asked = {"top_k": top_k, "evidence": evidence}
    if (job := await accepted_job(request, parts, "predict", name, asked)) is not None:
        return job
    wait = query_deadline(request, parts.settings, request_timeout)
    if is_json(request):
        content = await predicted_items(
            parts, name, lambda: received_items(request, parts), top_k, evidence, wait
        )
    else:
        content = await predicted(
            parts, name, lambda: read_images(request, parts.settings), top_k, evidence, wait
        )
    return Response(content, media_type="application/json")
