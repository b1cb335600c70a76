"""``/photoprism/{name}``: labels of a picture, by a classifier."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi_problem.error import StatusProblem

from service.api.deadlines import query_deadline
from service.api.dependencies import Name, ReadyParts
from service.api.image_quota import count_images
from service.api.json_images.reading import read_model
from service.api.predicting import MOST_CANDIDATES, answered
from service.images.uploaded import UploadedImage
from service.integrations.photoprism.answers import labels_response
from service.integrations.photoprism.requests import VisionRequest
from service.tenancy import bare

PREFIX = "/photoprism"

router = APIRouter(prefix=PREFIX)


@router.post("/{name}")
async def label_picture(name: Name, parts: ReadyParts, request: Request) -> dict[str, Any]:
    """Labels of a picture, of which one or more crops are sent.

    Raises as predicting does; problems that come once the request is read have its ``id``.
    """
    request_id = ""

    async def read() -> list[UploadedImage]:
        nonlocal request_id
        asked = await read_model(request, VisionRequest)
        request_id = asked.id
        images = asked.uploads(parts.settings)
        await count_images(request.scope, len(images))
        return images

    wait = query_deadline(request, parts.settings, None)
    try:
        # All candidates, since a picture may have several labels; nobody looks at evidence there.
        found = await answered(parts, name, read, MOST_CANDIDATES, 0, wait)
    except StatusProblem as problem:
        if request_id:
            problem.extras["id"] = request_id
        raise
    return labels_response(request_id, bare(name), found.predictions)
