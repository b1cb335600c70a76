"""``GET /v1/classifiers/{name}/report/confused``: the images of a cell of the confusion matrix."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from service.api.dependencies import Name, ReadyParts, Reports
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.responses import (
    CLASS_NOT_FOUND,
    CLASSIFIER_NOT_FOUND,
    SEVERAL_LABELS,
    classifier_problems,
)
from service.api.openapi.schema_types import LABEL_SCHEMA
from service.api.paging import NO_SUCH_PLACE, Paged
from service.api.routes.classes import existing_label
from service.problems import ClassNotFound, InvalidName
from service.reports.confused_schemas import ConfusedOut
from service.reports.image_schemas import LookedUpImage, NamedImage
from service.reports.votes import Vote
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["reports"])

_NAME = InvalidName("'a/b' cannot be a label: ...")


@router.get(
    "/report/confused",
    summary="List the images of a cell of the confusion matrix",
    response_model=ConfusedOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND, CLASS_NOT_FOUND, _NAME, NO_SUCH_PLACE, SEVERAL_LABELS
    ),
)
async def get_confused(
    name: Name,
    label: Annotated[
        str,
        Query(description="The class that they are registered in.", json_schema_extra=LABEL_SCHEMA),
    ],
    named: Annotated[
        str,
        Query(
            description="The class that the others name; the same for those named rightly.",
            json_schema_extra=LABEL_SCHEMA,
        ),
    ],
    parts: ReadyParts,
    reports: Reports,
    request: Request,
    page: Paged,
) -> Response:
    """The support images of one class that the others name as another, or as the same.

    They are those that the report's `confusion_matrix` and `confusions` count, also where there
    are too many classes for the matrix: from the same leave-one-out, which is made with the report
    and kept until the classifier changes.
    """
    label = await existing_label(name, label, parts)
    named = await existing_label(name, named, parts)
    live = await run_blocking(parts.registry.live, name)

    def written() -> str:
        votes = reports.votes_on(live)
        for one in (label, named):
            if one not in votes.labels:
                raise ClassNotFound(name, one)
        cell = votes.of_cell(label, named)
        shown, next_cursor = page.of(cell, lambda vote: vote.record.public_id)
        return ConfusedOut(
            classifier=bare(name),
            label=label,
            named=named,
            of=len(cell),
            images=[_image(vote, bare(name), reports.root_path) for vote in shown],
            next_cursor=next_cursor,
        ).model_dump_json()

    body = await anyio.to_thread.run_sync(written, limiter=Limiters.of(request).reports)
    return Response(body, media_type="application/json")


def _image(vote: Vote, classifier: str, root_path: str) -> NamedImage:
    image = LookedUpImage.of(vote.record, vote.label, classifier, root_path)
    return NamedImage(
        **image.model_dump(),
        named=vote.named,
        probability=vote.probability,
        own_probability=vote.own_probability,
    )
