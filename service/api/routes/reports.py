"""``/v1/classifiers/{name}/report``: the report on a classifier, as JSON, page and picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.dependencies import Name, ReadyParts, Reports
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.media_types import binary
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    SEVERAL_LABELS,
    classifier_problems,
)
from service.composition import ServiceParts
from service.presentation.shift import ShiftOut
from service.reports.page import CONTENT_SECURITY_POLICY, page, shown_images
from service.reports.report_cache import ReportCache
from service.reports.schemas import ReportOut

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])
T = TypeVar("T")

_PROBLEMS = classifier_problems(CLASSIFIER_NOT_FOUND, SEVERAL_LABELS)
# The next image that is registered changes the report.
_HEADERS = {"cache-control": "no-cache"}


@router.get(
    "/report",
    summary="Report on a classifier",
    response_model=ReportOut,
    responses=_PROBLEMS,
)
async def get_report(name: Name, parts: ReadyParts, reports: Reports, request: Request) -> Response:
    """Accuracy by leaving each support image out, and which images deserve a look.

    Accuracy and confusions of the classes, images that look mislabelled, near copies, how alike
    images of the same and of different classes are, what the embeddings are like before and after
    the correction, and whether probabilities mean what they say. Made when it is asked for,
    within seconds, and kept until the classifier changes, but for ``shift``: whether the recent
    queries are like the images that all of this comes from.
    """
    written = await _made(request, name, parts, reports, lambda report: report.model_dump_json())
    return Response(written, media_type="application/json")


@router.get(
    "/report.html",
    summary="The report as a page",
    response_class=Response,
    responses=_PROBLEMS
    | {
        200: {
            "content": {"text/html": {"schema": {"type": "string"}}},
            "description": "A page that needs no script",
        }
    },
)
async def get_page(name: Name, parts: ReadyParts, reports: Reports, request: Request) -> Response:
    """The report to look at, with the images that it speaks of."""

    def write(report: ReportOut) -> str:
        shown = {image.image_id for image in shown_images(report)}
        return page(report, parts.store.kept_images(shown))

    written = await _made(request, name, parts, reports, write)
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, **_HEADERS}
    return Response(written, media_type="text/html", headers=headers)


@router.get(
    "/report.png",
    summary="The report as a picture",
    response_class=Response,
    responses=_PROBLEMS
    | {200: {"content": {"image/png": binary("image/png")}, "description": "The plots"}},
)
async def get_picture(
    name: Name, parts: ReadyParts, reports: Reports, request: Request
) -> Response:
    """The plots of the report in one picture; it says so where there is nothing to plot."""
    drawn = await _made(request, name, parts, reports, lambda report: _drawn(report, "png"))
    return Response(drawn, media_type="image/png", headers=_HEADERS)


@router.get(
    "/report.svg",
    summary="The report as a picture that can be enlarged",
    response_class=Response,
    responses=_PROBLEMS
    | {
        200: {
            "content": {"image/svg+xml": binary("image/svg+xml")},
            "description": "The plots",
        }
    },
)
async def get_drawing(
    name: Name, parts: ReadyParts, reports: Reports, request: Request
) -> Response:
    """The same picture as vectors; letters are shapes in it, so that it looks alike everywhere."""
    drawn = await _made(request, name, parts, reports, lambda report: _drawn(report, "svg"))
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, **_HEADERS}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _drawn(report: ReportOut, kind: Literal["png", "svg"]) -> bytes:
    # matplotlib takes half a second to import, which most services never need.
    from service.reports.picture import picture

    return picture(report, kind)


async def _made(
    request: Request,
    name: str,
    parts: ServiceParts,
    reports: ReportCache,
    make: Callable[[ReportOut], T],
) -> T:
    """Make something of the report and of the recent queries, off the event loop, in its turn."""
    live = await run_blocking(parts.registry.live, name)

    def made() -> T:
        shift = ShiftOut.of(live.window.shift())
        return make(reports.report_on(live).model_copy(update={"shift": shift}))

    return await anyio.to_thread.run_sync(made, limiter=Limiters.of(request).reports)
