"""``GET /v1/classifiers/{name}/report/labels``: the report where images may have several labels."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.dependencies import Name, ReadyParts
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.responses import CLASSIFIER_NOT_FOUND, classifier_problems
from service.problems import SingleLabels
from service.reports.label_report import label_report
from service.reports.label_schemas import LabelsReportOut

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])

_SINGLE = SingleLabels("Each image of classifier 'land-cover' has one label: GET .../report.")


@router.get(
    "/report/labels",
    summary="Report on labels",
    response_model=LabelsReportOut,
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, _SINGLE),
)
async def get_label_report(name: Name, parts: ReadyParts, request: Request) -> Response:
    """Precision, recall and average precision of each label, of a classifier with `multi_label`.

    Each image is left out with all its labels, and judged by the others.
    """
    live = await run_blocking(parts.registry.live, name)
    written = await anyio.to_thread.run_sync(
        lambda: label_report(live).model_dump_json(), limiter=Limiters.of(request).reports
    )
    return Response(written, media_type="application/json")
