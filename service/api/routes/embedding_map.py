"""``GET /v1/classifiers/{name}/map``: the images of a classifier as points of a plane."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.conditional_requests import IsUnchanged
from service.api.dependencies import Maps, Name, ReadyParts
from service.api.entity_tags import content_tag, tagged
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.responses import CLASSIFIER_NOT_FOUND, tagged_problems
from service.reports.map_schemas import MapOut

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])


@router.get(
    "/map",
    summary="Map of the embeddings",
    response_model=MapOut,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND),
)
async def get_map(
    name: Name, parts: ReadyParts, maps: Maps, request: Request, unchanged: IsUnchanged
) -> Response:
    """Support images as points, before the correction (`frozen`) and after it (`corrected`).

    Images that are alike are near each other, as far as two dimensions can show it: `explained`
    says how much of the variance that is. Explicit negatives (`not-these`) are among them. Made
    when it is asked for, within seconds, and kept until images change.
    """
    live = await run_blocking(parts.registry.live, name)
    tag = content_tag(live.state, live.fingerprint[:16])  # before what it is of: never of a later
    if (same := unchanged(tag)) is not None:
        return same
    written = await anyio.to_thread.run_sync(
        maps.map_of, live, limiter=Limiters.of(request).reports
    )
    return tagged(Response(written, media_type="application/json"), tag)
