"""``GET /v1/classifiers/{name}/suggest``: what the support set needs, and what can go."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.dependencies import Name, ReadyParts, Reports
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    SEVERAL_LABELS,
    classifier_problems,
)
from service.reports.advice_schemas import AdviceOut

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])


@router.get(
    "/suggest",
    summary="Suggest what to register next and what can go",
    response_model=AdviceOut,
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, SEVERAL_LABELS),
)
async def get_advice(name: Name, parts: ReadyParts, reports: Reports, request: Request) -> Response:
    """Whether there are images enough, which class needs images most, which images can go.

    A learning curve by leaving support images out says what 8 more images of every class, and of
    each class, are worth, with intervals meant to hold the truth in 9 of 10 cases (on image sets
    unlike those that they were made by they did in 3 of 4). It is silent where there are too few
    images. The same as `advice` in the report; made with it, within seconds, and kept until the
    classifier changes.
    """
    live = await run_blocking(parts.registry.live, name)
    written = await anyio.to_thread.run_sync(
        lambda: reports.report_on(live).advice.model_dump_json(),
        limiter=Limiters.of(request).reports,
    )
    return Response(written, media_type="application/json")
