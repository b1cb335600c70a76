"""``/v1/classifiers``: classifiers and their settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from service.api.dependencies import (
    BAD_BODIES,
    NAMING,
    Name,
    ReadyRuntime,
    change_problems,
    classifier_problems,
    created,
    naming,
    problems,
    reading,
    writing,
)
from service.api.json_body import JsonRoute
from service.api.large_json import large_json
from service.api.names import checked_classifier, checked_label
from service.api.schemas import ClassifierList, ClassifierOut, ClassifierSettingsIn, Tuned
from service.classifier_settings import ClassifierSettings
from service.composition import ServiceParts
from service.problems import ClassifierNotFound, InvalidSettings
from service.storage.records import ClassifierRecord

router = APIRouter(prefix="/v1/classifiers", tags=["classifiers"], route_class=JsonRoute)

_NOT_FOUND = ClassifierNotFound("land-cover")


@router.put(
    "/{name}",
    summary="Create a classifier, or change its settings",
    responses=created(ClassifierOut)
    | change_problems(
        InvalidSettings("The method zero-shot knows classes by name alone..."),
        *NAMING,
        *BAD_BODIES,
    ),
)
async def put_classifier(
    name: Name,
    runtime: ReadyRuntime,
    request: Request,
    response: Response,
    settings: Annotated[ClassifierSettingsIn | None, Body()] = None,
) -> ClassifierOut:
    """Settings left out take their default; classes and images that exist stay.

    Changing the method or the templates needs no new images: the head is fitted anew at once.
    """
    checked_classifier(name)
    settings = settings or ClassifierSettingsIn()
    labels = await reading(lambda: [checked_label(label) for label in settings.classes])
    created = await naming(
        request,
        runtime,
        runtime.registry.put,
        name,
        ClassifierSettings(
            method=settings.method,
            templates=tuple(settings.templates),
            names_carry_meaning=settings.names_carry_meaning,
            false_rejection_rate=settings.false_rejection_rate,
            coverage=settings.coverage,
        ),
        labels,
    )
    response.status_code = 201 if created else 200
    return await _classifier(name, runtime)


@router.get("", summary="List classifiers", response_model=ClassifierList, responses=problems())
async def list_classifiers(runtime: ReadyRuntime) -> Response:
    """All classifiers, by name; ``problem`` tells of those that cannot answer, and why."""
    records = await reading(runtime.store.classifiers)
    return await large_json({}, "classifiers", records, lambda record: _out(record, runtime))


@router.get("/{name}", summary="Look at a classifier", responses=classifier_problems(_NOT_FOUND))
async def get_classifier(name: Name, runtime: ReadyRuntime) -> ClassifierOut:
    """Settings, size and what leave-one-out has set."""
    return await _classifier(checked_classifier(name), runtime)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a classifier with all its images",
    responses=change_problems(_NOT_FOUND),
)
async def delete_classifier(name: Name, runtime: ReadyRuntime, request: Request) -> None:
    """Images that other classifiers use as well stay with those."""
    await writing(request, runtime.registry.delete, checked_classifier(name))


async def _classifier(name: str, runtime: ServiceParts) -> ClassifierOut:
    record = await reading(runtime.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    if record.problem is not None:
        await reading(runtime.registry.live, name)  # tells more, and how to go on
    return _out(record, runtime)


def _out(record: ClassifierRecord, runtime: ServiceParts) -> ClassifierOut:
    tuning = record.tuning
    return ClassifierOut(
        name=record.name,
        method=record.settings.method,
        templates=list(record.settings.templates),
        names_carry_meaning=record.settings.names_carry_meaning,
        false_rejection_rate=record.settings.false_rejection_rate,
        coverage=record.settings.coverage,
        backbone=record.backbone,
        n_classes=record.n_classes,
        n_images=record.n_images,
        tuning=Tuned(
            head=tuning.head or record.settings.method,
            parameters=tuning.parameters.as_dict(),
            temperature=tuning.temperature,
            votes=tuning.votes,
            accuracy=tuning.accuracy,
            rejection_threshold=tuning.rejection_threshold,
            conformal_threshold=tuning.conformal_threshold,
        ),
        created_at=record.created_at,
        updated_at=record.updated_at,
        problem=record.problem,
    )
