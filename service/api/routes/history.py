"""``/history`` and ``/revert``: what a classifier was, and undo."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from service.api.conditional_requests import ChangingParts
from service.api.dependencies import Name, ReadyParts
from service.api.offloading import run_blocking, run_change, run_change_with_texts
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    NAMING_PROBLEMS,
    change_problems,
    classifier_problems,
)
from service.api.openapi.schema_types import ClassifierName, ClassLabel
from service.api.routes.classifiers import classifier_shown
from service.api.schemas.classifiers import ClassifierOut
from service.api.waiting import UntilTuned
from service.problems import CannotRevert, ClassifierNotFound
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["history"])
_UNKNOWN = CannotRevert("Classifier 'land-cover' is at revision 12, and 3 is the oldest that ...")


class PastChangeOut(BaseModel):
    """A change of settings, classes or images, in short."""

    revision: int = Field(description="Content revision after it; `to` of a revert to it.")
    at: datetime
    key_id: str | None = Field(description="The key that it was made with; null: without one.")
    what: str = Field(description="`changed`, `renamed` (the classifier) or `annotated`.")
    reverted_to: int | None = Field(description="The revision that it brought back, if it did.")
    classes_added: list[ClassLabel] = Field(description="The first 20 labels.")
    n_classes_added: int
    classes_removed: list[ClassLabel] = Field(description="The first 20 labels.")
    n_classes_removed: int
    classes_renamed: dict[str, ClassLabel] = Field(description="New labels by old ones.")
    images_added: int = Field(description="Images that were moved count as added and removed.")
    images_removed: int
    settings: bool = Field(description="Whether settings were changed.")


class HistoryOut(BaseModel):
    """Changes of a classifier, the last first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "revision": 12,
                    "oldest_revision": 11,
                    "changes": [
                        {
                            "revision": 12,
                            "at": "2026-01-01T12:00:05Z",
                            "key_id": None,
                            "what": "changed",
                            "reverted_to": None,
                            "classes_added": [],
                            "n_classes_added": 0,
                            "classes_removed": ["river"],
                            "n_classes_removed": 1,
                            "classes_renamed": {},
                            "images_added": 0,
                            "images_removed": 16,
                            "settings": False,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    classifier: ClassifierName
    revision: int = Field(description="The content revision that it is at.")
    oldest_revision: int = Field(description="The oldest one that can be brought back.")
    changes: list[PastChangeOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


@router.get(
    "/history",
    summary="What was changed",
    responses=classifier_problems(CLASSIFIER_NOT_FOUND),
)
async def get_history(
    name: Name,
    parts: ReadyParts,
    limit: Annotated[int, Query(ge=1, le=1000, description="Changes at most.")] = 100,
    cursor: Annotated[
        str | None,
        Query(pattern="^[0-9]{1,9}$", description="`next_cursor` of the page before."),
    ] = None,
) -> HistoryOut:
    """Changes of settings, classes and images, the last first; tunings are none."""
    record = await run_blocking(parts.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    before = None if cursor is None else int(cursor)
    found, oldest = await run_blocking(parts.store.history, record, limit + 1, before)
    changes = found[:limit]
    return HistoryOut(
        classifier=bare(name),
        revision=record.content_revision,
        oldest_revision=oldest,
        changes=[
            PastChangeOut(revision=one.revision, at=one.at, key_id=one.key_id, **one.changed)
            for one in changes
        ],
        next_cursor=str(changes[-1].revision) if len(found) > limit else None,
    )


@router.delete(
    "/history",
    status_code=204,
    summary="Forget what was",
    responses=change_problems(CLASSIFIER_NOT_FOUND),
)
async def delete_history(name: Name, parts: ChangingParts, request: Request) -> None:
    """What was removed is deleted for good, at once, with its bytes; nothing else is changed."""
    record = await run_blocking(parts.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    await run_change(request, lambda _: parts.store.forget_history(record.id), name)


@router.post(
    "/revert",
    summary="Undo: bring back what a classifier was",
    responses=change_problems(CLASSIFIER_NOT_FOUND, _UNKNOWN, *NAMING_PROBLEMS),
)
async def revert(
    name: Name,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    to: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="The content revision that is wanted.")
    ],
) -> ClassifierOut:
    """Settings, classes and images of that revision, with their ids, names, times and bytes.

    A change of its own, which can be undone as well. The classifier's name and its number of
    support views stay, and so do notes of what stays.
    """
    await run_change_with_texts(request, parts, parts.registry.revert, name, to)
    await until_tuned(name)
    return await classifier_shown(name, parts)
