"""``/v1/classifiers/{name}/inbox``: remembered queries, to be judged by people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from service.api.conditional_requests import ChangingParts
from service.api.cursors import Cursor, cursor_of, position
from service.api.dependencies import Name, ReadyParts
from service.api.json_images.items import GivenEmbedding, Item
from service.api.json_route import JsonRoute
from service.api.middleware.bytes_in_flight import account_of
from service.api.offloading import run_blocking
from service.api.openapi.media_types import IMAGE_TYPES, binary
from service.api.openapi.responses import (
    BODY_PROBLEMS,
    CLASSIFIER_NOT_FOUND,
    IMAGE_PROBLEMS,
    change_problems,
    classifier_problems,
)
from service.api.openapi.schema_types import IMAGE_ID_SCHEMA, LABEL_SCHEMA
from service.api.routes.support_images import INERT, register_items
from service.api.schemas.inbox import (
    AccuracyOut,
    AccuracyOverTime,
    CorrectIn,
    DeleteIn,
    InboxActionIn,
    InboxActionOut,
    InboxImage,
    InboxOut,
    RejectIn,
    RememberedOut,
)
from service.api.waiting import UntilTuned
from service.composition import ServiceParts
from service.images.uploaded import UploadedImage
from service.inbox.accuracy import accuracy_windows, window_of
from service.name_validation import NOT_THESE, checked_label, checked_labels
from service.presentation.shift import ShiftOut
from service.problems import (
    ImageDamaged,
    ImageNotStored,
    InvalidName,
    OtherFingerprint,
    RememberedNotFound,
    SingleLabels,
)
from service.registry.live import LiveClassifier
from service.storage.inbox import Judgement, Remembered
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}/inbox", tags=["inbox"], route_class=JsonRoute)


class _ItemConvertor(StringConvertor):
    """What is no id, but a path of its own: the accuracy beside the items."""

    regex = "(?!accuracy$)[^/]+"


register_url_convertor("remembered", _ItemConvertor())
ItemId = Annotated[
    str,
    Path(
        description="The id of a remembered query.",
        examples=["4bfa6c1d0c7c4d0f9b6f0a8e2b3c5d77"],
        json_schema_extra=IMAGE_ID_SCHEMA,
    ),
]
_NONE = RememberedNotFound("land-cover", "4bfa6c1d0c7c4d0f9b6f0a8e2b3c5d77")
_NOT_KEPT = ImageNotStored("The query is remembered, but the service was told not to keep ...")
_OTHER = OtherFingerprint("The embedding is of the fingerprint 5f0c..., and the classifier of ...")
_ONE = SingleLabels("A query of this classifier has one label: leave `also` out, or ...")
_NAME = InvalidName("'a/b' cannot be a label: ...")


@router.get(
    "", summary="List the inbox", responses=classifier_problems(CLASSIFIER_NOT_FOUND, _NAME)
)
async def list_inbox(
    name: Name,
    parts: ReadyParts,
    limit: Annotated[int, Query(ge=1, le=100, description="Most queries of a page.")] = 20,
    cursor: Cursor = None,
    label: Annotated[
        str | None,
        Query(description="Only those answered with it.", json_schema_extra=LABEL_SCHEMA),
    ] = None,
    known: Annotated[
        bool | None, Query(description="Only those that were answered as known, or not.")
    ] = None,
) -> InboxOut:
    """Queries that the classifier was told to remember (`remember`), the newest first."""
    label = None if label is None else checked_label(label)
    live = await run_blocking(parts.registry.live, name)
    found = await run_blocking(
        parts.inboxes.page, live.id, limit + 1, position(cursor), label, known
    )
    page = found[:limit]
    more = len(found) > limit
    return InboxOut(
        classifier=bare(name),
        items=list(map(RememberedOut.of, page)),
        next_cursor=cursor_of(page[-1].asked_at, page[-1].public_id) if more else None,
        shift=ShiftOut.of(live.window.shift()),
    )


@router.get(
    "/accuracy",
    summary="Accuracy over time",
    responses=classifier_problems(CLASSIFIER_NOT_FOUND),
)
async def get_accuracy(
    name: Name,
    parts: ReadyParts,
    days: Annotated[int, Query(ge=1, le=365, description="Of a window.")] = 7,
    windows: Annotated[int, Query(ge=1, le=52, description="How many, up to now.")] = 8,
) -> AccuracyOverTime:
    """What the verdicts say: windows by when the queries were asked.

    `confirm` says that an answer was right, `correct` that it was if the label is the same, and
    `reject` that it was if it said that the image is unknown.
    """
    live = await run_blocking(parts.registry.live, name)
    now = datetime.now(UTC)
    since = now - timedelta(days=days * windows)
    verdicts = await run_blocking(parts.inboxes.verdicts, live.id, since)
    found = await run_blocking(accuracy_windows, verdicts, now, days, windows)
    judged, right = (sum(getattr(one, part) for one in found) for part in ("judged", "right"))
    return AccuracyOverTime(
        classifier=bare(name),
        remember=live.settings.remember,
        windows=list(map(AccuracyOut.of, found)),
        together=AccuracyOut.of(window_of(since, now, judged, right)),
        waiting=await run_blocking(parts.inboxes.count, live.id),
        shift=ShiftOut.of(live.window.shift()),
    )


@router.get(
    "/{item_id:remembered}",
    summary="Get a remembered query",
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, _NONE),
)
async def get_remembered(name: Name, item_id: ItemId, parts: ReadyParts) -> RememberedOut:
    """What was asked, what was answered, and why it is remembered."""
    _, found = await _found(parts, name, item_id)
    return RememberedOut.of(found)


@router.get(
    "/{item_id:remembered}/image",
    summary="Get the picture of a remembered query",
    response_class=Response,
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, _NONE, _NOT_KEPT, ImageDamaged("are gone"))
    | {
        200: {
            "content": {kind: binary(kind) for kind in (*IMAGE_TYPES, "application/octet-stream")},
            "description": "As it was sent",
        }
    },
)
async def get_remembered_image(
    name: Name, item_id: ItemId, parts: ReadyParts, request: Request
) -> Response:
    """The picture, byte for byte as it was sent."""
    _, found = await _found(parts, name, item_id)
    content = await run_blocking(parts.inboxes.content, found.id)
    if content is None:
        raise ImageNotStored(
            "The query is remembered, but the service was told not to keep images "
            "(HANDFUL_STORE_IMAGES=false) when it came."
        )
    account_of(request).take(len(content))  # until the client has read it
    return Response(content, media_type=found.media_type, headers=INERT)


@router.post(
    "/{item_id:remembered}",
    summary="Judge a remembered query",
    responses=change_problems(
        CLASSIFIER_NOT_FOUND, _NONE, _NOT_KEPT, _OTHER, _NAME, _ONE, *IMAGE_PROBLEMS, *BODY_PROBLEMS
    ),
)
async def judge(
    name: Name,
    item_id: ItemId,
    asked: InboxActionIn,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
) -> InboxActionOut:
    """Once for each: what was judged is in the inbox no more, and judging it again is a 404.

    A registration and the end of the query in the inbox are one change of the database: both are
    there, or neither is, whoever else judges it and whenever the service dies.
    """
    labels = checked_labels([asked.label, *asked.also]) if isinstance(asked, CorrectIn) else []
    live, found = await _found(parts, name, item_id)
    classifier_id = live.id
    label = labels[0] if labels else None
    if isinstance(asked, CorrectIn) and asked.also and not live.settings.multi_label:
        raise SingleLabels(
            "A query of this classifier has one label: leave `also` out, or PUT the classifier with"
            " multi_label."
        )
    if isinstance(asked, DeleteIn):
        if not await run_blocking(parts.inboxes.delete, classifier_id, item_id):
            raise RememberedNotFound(name, item_id)
        return InboxActionOut(id=item_id, action="delete", right=None, image=None)
    right = True
    if isinstance(asked, RejectIn):
        label, labels, right = NOT_THESE, [NOT_THESE], not found.known
    elif isinstance(asked, CorrectIn):
        right = label == found.label
        if found.labels is not None:
            right = set(labels) == set(found.labels)
        if label == NOT_THESE:
            right = not found.known
    true = found.label if label is None else None if label == NOT_THESE else label
    judgement = Judgement(found, classifier_id, asked.action, true, right)
    if label is None:
        await run_blocking(parts.inboxes.judge, name, judgement)
        return InboxActionOut(id=item_id, action="confirm", right=True, image=None)
    item = await run_blocking(_item, parts, found)
    registered = await register_items(
        name,
        [(one, item) for one in labels],
        (),
        parts.recording([judgement]),
        request,
        until_tuned,
        predict=False,
    )
    image = registered.images[0]
    if not registered.created:  # no change was made, which it would be written down with
        await run_blocking(parts.inboxes.judge, name, judgement)
    made = InboxImage(id=image.id, label=image.label, status=image.status)
    return InboxActionOut(id=item_id, action=asked.action, right=right, image=made)


async def _found(parts: ServiceParts, name: str, item_id: str) -> tuple[LiveClassifier, Remembered]:
    live = await run_blocking(parts.registry.live, name)
    found = await run_blocking(parts.inboxes.get, live.id, item_id)
    if found is None:
        raise RememberedNotFound(name, item_id)
    return live, found


def _item(parts: ServiceParts, found: Remembered) -> Item:
    """A remembered query as an image to be registered: its bytes, or else its embeddings."""
    if found.has_picture:
        content = parts.inboxes.content(found.id)
        if content is not None:
            return UploadedImage.of(found.filename, content)
    embeddings = parts.inboxes.embeddings(found.id)
    if embeddings is None:
        raise ImageNotStored("The query was forgotten while it was judged; nothing was changed.")
    return GivenEmbedding(
        filename=found.filename,
        place=("inbox", found.public_id),
        fingerprint=found.fingerprint,
        frozen=embeddings.frozen[0].tolist(),
        corrected=embeddings.corrected[0].tolist(),
    )
