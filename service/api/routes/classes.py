"""``/v1/classifiers/{name}/classes``: the classes of a classifier."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from service.api.conditional_requests import ChangingParts, IsUnchanged
from service.api.dependencies import Label, Name, ReadyParts
from service.api.entity_tags import content_tag, tagged
from service.api.large_json import large_json
from service.api.offloading import run_blocking, run_change, run_change_with_texts
from service.api.openapi.responses import (
    CLASS_NOT_FOUND,
    CLASSIFIER_NOT_FOUND,
    NAMING_PROBLEMS,
    change_problems,
    created,
    tagged_problems,
)
from service.api.paging import NO_SUCH_PLACE, Page, Paged
from service.api.schemas.support_set import ClassList, ClassOut, ClassSummary, ImageOut
from service.api.waiting import UntilTuned
from service.composition import ServiceParts
from service.name_validation import as_written, checked_label
from service.problems import ClassNotFound, InvalidName
from service.registry.live import LiveClassifier
from service.storage.records import SupportRecord
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["support set"])


class LabelledRecord(NamedTuple):
    """A support image with the label of its class, as it is shown."""

    label: str
    record: SupportRecord


_NOT_FOUND = CLASSIFIER_NOT_FOUND, CLASS_NOT_FOUND


@router.get(
    "/classes",
    summary="List classes",
    response_model=ClassList,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND, NO_SUCH_PLACE),
)
async def list_classes(
    name: Name, parts: ReadyParts, unchanged: IsUnchanged, page: Paged
) -> Response:
    """All classes, in the order of their registration, or with `limit` a page of them."""
    live = await _live(name, parts)
    tag = content_tag(live.state)  # before what it is of: never of a later state
    if (same := unchanged(tag)) is not None:
        return same
    records, images = await run_blocking(live.records)
    counts = await run_blocking(lambda: Counter(record.class_id for record in images.values()))
    shown, next_cursor = page.of(list(records.values()), lambda record: record.label)
    answer = await large_json(
        {"classifier": bare(name), "next_cursor": next_cursor},
        "classes",
        shown,
        lambda record: ClassSummary(label=record.label, n_images=counts[record.id]),
    )
    return tagged(answer, tag)


@router.put(
    "/classes/{label}",
    summary="Declare a class by its name",
    response_model=ClassOut,
    responses=created(ClassOut) | change_problems(CLASSIFIER_NOT_FOUND, *NAMING_PROBLEMS),
)
async def put_class(
    name: Name, label: Label, parts: ChangingParts, request: Request, until_tuned: UntilTuned
) -> Response:
    """A class without images is known by its name alone (zero-shot)."""
    label = checked_label(label)
    created = await run_change_with_texts(request, parts, parts.registry.put_class, name, label)
    await until_tuned(name)
    response = await _class(name, label, parts, Page())
    response.status_code = 201 if created else 200
    return response


@router.get(
    "/classes/{label}",
    summary="Look at a class",
    response_model=ClassOut,
    responses=tagged_problems(*_NOT_FOUND, NO_SUCH_PLACE),
)
async def get_class(
    name: Name, label: Label, parts: ReadyParts, unchanged: IsUnchanged, page: Paged
) -> Response:
    """The class with its support images, or with `limit` a page of them."""
    label = await existing_label(name, label, parts)
    tag = content_tag((await _live(name, parts)).state)
    return unchanged(tag) or tagged(await _class(name, label, parts, page), tag)


@router.delete(
    "/classes/{label}",
    status_code=204,
    summary="Delete a class with its images",
    responses=change_problems(*_NOT_FOUND),
)
async def delete_class(
    name: Name, label: Label, parts: ChangingParts, request: Request, until_tuned: UntilTuned
) -> None:
    """The other classes stay as they are."""
    label = await existing_label(name, label, parts)
    await run_change(request, parts.registry.delete_class, name, label)
    await until_tuned(name)


async def _live(name: str, parts: ServiceParts) -> LiveClassifier:
    return await run_blocking(parts.registry.live, name)


async def existing_label(name: str, label: str, parts: ServiceParts) -> str:
    """The label of a class to look at or to delete.

    Older versions took labels that are refused now; what they made must not stay for ever.

    Raises:
        InvalidName: It cannot be a label, and no class has it.
    """
    try:
        return checked_label(label)
    except InvalidName:
        written = as_written(label)
        if written not in (await _live(name, parts)).classes:
            raise
        return written


async def _class(name: str, label: str, parts: ServiceParts, page: Page) -> Response:
    records, support = await run_blocking((await _live(name, parts)).records)
    if (record := records.get(label)) is None:
        raise ClassNotFound(name, label)
    class_id = record.id
    images = await run_blocking(
        lambda: [one for one in support.values() if one.class_id == class_id]
    )
    shown, next_cursor = page.of(images, lambda record: record.public_id)
    return await large_json(
        {
            "label": label,
            "n_images": len(images),
            "classifier": bare(name),
            "next_cursor": next_cursor,
        },
        "images",
        shown,
        lambda record: ImageOut.model_validate(LabelledRecord(label, record)),
    )
