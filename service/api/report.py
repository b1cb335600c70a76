"""``/v1/classifiers/{name}/report``: what a classifier's own images say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.dependencies import Name, ReadyRuntime, classifier_problems, reading
from service.api.described import binary
from service.api.names import checked_classifier
from service.composition import ServiceParts
from service.problems import ClassifierNotFound
from service.reports.latest import LatestReports
from service.reports.page import CONTENT_SECURITY_POLICY, page, shown_images
from service.reports.schemas import ReportOut

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])
T = TypeVar("T")

_PROBLEMS = classifier_problems(ClassifierNotFound("land-cover"))
# The next image that is registered changes the report.
_HEADERS = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class _Reporting:
    """What requests for reports share.

    Attributes:
        latest: The reports that are made already.
        turns: Lets one request at a time into the threads. Computing uses all cores, so more
            would not be done sooner, but take the places of predictions.
    """

    latest: LatestReports
    turns: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))


@router.get(
    "/report",
    summary="Report on a classifier",
    response_model=ReportOut,
    responses=_PROBLEMS,
)
async def get_report(name: Name, runtime: ReadyRuntime, request: Request) -> Response:
    """Accuracy by leaving each support image out, and which images deserve a look.

    Accuracy and confusions of the classes, images that look mislabelled, near copies, how alike
    images of the same and of different classes are, what the embeddings are like before and after
    the correction, and whether probabilities mean what they say. Made when it is asked for,
    within seconds, and kept until the classifier changes.
    """
    written = await _in_turn(request, name, runtime, lambda report: report.model_dump_json())
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
async def get_page(name: Name, runtime: ReadyRuntime, request: Request) -> Response:
    """The report to look at, with the images that it speaks of."""

    def write(report: ReportOut) -> str:
        shown = {image.image_id for image in shown_images(report)}
        return page(report, runtime.store.kept_images(shown))

    written = await _in_turn(request, name, runtime, write)
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, **_HEADERS}
    return Response(written, media_type="text/html", headers=headers)


@router.get(
    "/report.png",
    summary="The report as a picture",
    response_class=Response,
    responses=_PROBLEMS
    | {200: {"content": {"image/png": binary("image/png")}, "description": "The plots"}},
)
async def get_picture(name: Name, runtime: ReadyRuntime, request: Request) -> Response:
    """The plots of the report in one picture; it says so where there is nothing to plot."""
    drawn = await _in_turn(request, name, runtime, lambda report: _drawn(report, "png"))
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
async def get_drawing(name: Name, runtime: ReadyRuntime, request: Request) -> Response:
    """The same picture as vectors; letters are shapes in it, so that it looks alike everywhere."""
    drawn = await _in_turn(request, name, runtime, lambda report: _drawn(report, "svg"))
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, **_HEADERS}
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _drawn(report: ReportOut, kind: Literal["png", "svg"]) -> bytes:
    # matplotlib takes half a second to import, which most services never need.
    from service.reports.picture import picture

    return picture(report, kind)


async def _in_turn(
    request: Request, name: str, runtime: ServiceParts, make: Callable[[ReportOut], T]
) -> T:
    """Make something of the report, off the event loop, when the requests before are done."""
    live = await reading(runtime.registry.live, checked_classifier(name))
    state = request.app.state
    if not hasattr(state, "reporting"):
        state.reporting = _Reporting(LatestReports(runtime.settings.root_path))
    reporting: _Reporting = state.reporting
    return await anyio.to_thread.run_sync(
        lambda: make(reporting.latest.of(live)), limiter=reporting.turns
    )
