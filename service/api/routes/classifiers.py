"""``/v1/classifiers``: classifiers and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from service.access.principal import principal_of
from service.api.conditional_requests import ChangingParts, IsUnchanged
from service.api.dependencies import Name, ReadyParts
from service.api.entity_tags import content_tag, tagged
from service.api.json_route import JsonRoute
from service.api.large_json import large_json
from service.api.offloading import run_blocking, run_change, run_change_with_texts
from service.api.openapi.responses import (
    BODY_PROBLEMS,
    CLASSIFIER_NOT_FOUND,
    NAMING_PROBLEMS,
    change_problems,
    created,
    problems,
    tagged_problems,
)
from service.api.paging import Listed
from service.api.schemas.classifiers import (
    ClassifierList,
    ClassifierOut,
    ClassifierSettingsIn,
)
from service.api.support_views import changed_with_views
from service.api.waiting import UntilTuned
from service.classifier_settings import ClassifierSettings
from service.composition import ServiceParts
from service.images.embedded import EmbeddedImage
from service.name_validation import checked_label
from service.problems import ClassifierNotFound, InvalidCursor, InvalidSettings, PromptsNotFound
from service.storage.records import ClassifierRecord
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers", tags=["classifiers"], route_class=JsonRoute)

_LIST_PROBLEMS = problems(InvalidCursor("The cursor is none that an answer has given. ..."))


@router.put(
    "/{name}",
    summary="Create a classifier, or change its settings",
    responses=created(ClassifierOut)
    | change_problems(
        InvalidSettings("The method zero-shot knows classes by name alone..."),
        PromptsNotFound("satellite"),
        *NAMING_PROBLEMS,
        *BODY_PROBLEMS,
    ),
)
async def put_classifier(
    name: Name,
    parts: ChangingParts,
    request: Request,
    response: Response,
    until_tuned: UntilTuned,
    settings: Annotated[ClassifierSettingsIn | None, Body()] = None,
) -> ClassifierOut:
    """Settings left out take their default; classes and images that exist stay.

    Changing the method or the templates needs no new images: the head is fitted anew at once.
    Another number of support views, or other prompts, embed the images again, from their bytes:
    some milliseconds a view, and the answer comes when it is done.
    """
    settings = settings or ClassifierSettingsIn()
    labels = await run_blocking(lambda: [checked_label(label) for label in settings.classes])

    async def put(embedded: Mapping[str, EmbeddedImage]) -> bool:
        return await run_change_with_texts(
            request,
            parts,
            partial(parts.registry.put, embedded=embedded),
            name,
            ClassifierSettings.model_validate(settings),
            labels,
        )

    created = await changed_with_views(request, parts, name, put)
    await until_tuned(name)
    response.status_code = 201 if created else 200
    return await classifier_shown(name, parts)


@router.get("", summary="List classifiers", response_model=ClassifierList, responses=_LIST_PROBLEMS)
async def list_classifiers(parts: ReadyParts, request: Request, asked: Listed) -> Response:
    """Classifiers, by name; ``problem`` tells of those that cannot answer, and why.

    All of them, or with `limit` a page: `next_cursor` is the `cursor` of the next one, and null on
    the last.
    """
    principal = principal_of(request.scope)
    page = await run_blocking(parts.store.page, asked.listing(principal))
    return await large_json(
        {"next_cursor": None if page.last is None else asked.cursor_after(page.last)},
        "classifiers",
        page.records,
        partial(_shown, parts),
    )


@router.get(
    "/{name}",
    summary="Look at a classifier",
    response_model=ClassifierOut,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND),
)
async def get_classifier(name: Name, parts: ReadyParts, unchanged: IsUnchanged) -> Response:
    """Settings, size and what leave-one-out has set."""
    shown, tag = await _classifier_with_tag(name, parts)
    return unchanged(tag) or tagged(_json(shown), tag)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a classifier with all its images",
    responses=change_problems(CLASSIFIER_NOT_FOUND),
)
async def delete_classifier(name: Name, parts: ChangingParts, request: Request) -> None:
    """Images that other classifiers use as well stay with those."""
    await run_change(request, parts.registry.delete, name)


def _json(shown: ClassifierOut) -> Response:
    return Response(shown.model_dump_json(), media_type="application/json")


async def classifier_shown(name: str, parts: ServiceParts) -> ClassifierOut:
    """A classifier as it is now."""
    shown, _ = await _classifier_with_tag(name, parts)
    return shown


async def _classifier_with_tag(name: str, parts: ServiceParts) -> tuple[ClassifierOut, str]:
    record = await run_blocking(parts.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    if record.problem is not None:
        await run_blocking(parts.registry.live, name)  # tells more, and how to go on
    shown = _shown(parts, record)
    return shown, content_tag(record.state, f"{record.revision}{shown.tuning.state[0]}")


def _shown(parts: ServiceParts, record: ClassifierRecord) -> ClassifierOut:
    """The record, with the head in use by its name, and what is under way in this process."""
    tuning, state = record.tuning, record.tuning_state
    behind = "running" if parts.registry.tunings.running(record.name) else "stale"
    return ClassifierOut.model_validate(
        {
            **{field.name: getattr(record, field.name) for field in fields(record)},
            "name": bare(record.name),
            "settings": dict(record.settings),
            "notes": "",
            "metadata": {},
            **(record.annotations or {}),
            "tuning": {
                **{field.name: getattr(tuning, field.name) for field in fields(tuning)},
                "head": tuning.head or record.settings.method,
                "state": "current" if state.is_current else behind,
                "since": state.since,
                "images_behind": state.images_behind,
            },
        }
    )
