"""Notes and metadata of classifiers, classes and images."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.api.conditional_requests import ChangingParts, IsUnchanged
from service.api.dependencies import ImageId, Label, Name, ReadyParts
from service.api.entity_tags import content_tag, tagged
from service.api.json_route import JsonRoute
from service.api.offloading import run_blocking, run_change
from service.api.openapi.responses import (
    BODY_PROBLEMS,
    CLASS_NOT_FOUND,
    CLASSIFIER_NOT_FOUND,
    IMAGE_NOT_FOUND,
    change_problems,
    tagged_problems,
)
from service.api.routes.classes import existing_label
from service.api.schemas.reshaping import Annotations
from service.composition import ServiceParts
from service.problems import ClassifierNotFound

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["notes"], route_class=JsonRoute)
_OF_CLASS = (CLASSIFIER_NOT_FOUND, CLASS_NOT_FOUND)
_OF_IMAGE = (*_OF_CLASS, IMAGE_NOT_FOUND)


@router.get(
    "/annotations",
    summary="Notes and metadata of a classifier",
    response_model=Annotations,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND),
)
async def get_annotations(name: Name, parts: ReadyParts, unchanged: IsUnchanged) -> Response:
    """Empty where there are none."""
    record = await run_blocking(parts.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    tag = content_tag(record.state)
    return unchanged(tag) or _shown(record.annotations, tag)


@router.put(
    "/annotations",
    summary="Write notes and metadata of a classifier",
    status_code=204,
    responses=change_problems(CLASSIFIER_NOT_FOUND, *BODY_PROBLEMS),
)
async def put_annotations(
    name: Name, parts: ChangingParts, request: Request, body: Annotations
) -> None:
    """They take the place of those that there are; what is left out is empty."""
    await run_change(request, parts.registry.reshaping.annotate, name, body.stored())


@router.get(
    "/classes/{label}/annotations",
    summary="Notes and metadata of a class",
    response_model=Annotations,
    responses=tagged_problems(*_OF_CLASS),
)
async def get_class_annotations(
    name: Name, label: Label, parts: ReadyParts, unchanged: IsUnchanged
) -> Response:
    """Empty where there are none."""
    label = await existing_label(name, label, parts)
    basis = (await run_blocking(parts.registry.live, name)).basis()
    basis.find_class(label)
    tag = content_tag(basis.state)
    found = await run_blocking(parts.store.annotations, basis.state.id, None)
    return unchanged(tag) or _shown(found.get(label), tag)


@router.put(
    "/classes/{label}/annotations",
    summary="Write notes and metadata of a class",
    status_code=204,
    responses=change_problems(*_OF_CLASS, *BODY_PROBLEMS),
)
async def put_class_annotations(
    name: Name, label: Label, parts: ChangingParts, request: Request, body: Annotations
) -> None:
    """They take the place of those that there are; what is left out is empty."""
    label = await existing_label(name, label, parts)
    await run_change(request, parts.registry.reshaping.annotate, name, body.stored(), label)


@router.get(
    "/classes/{label}/images/{image_id}/annotations",
    summary="Notes and metadata of an image",
    response_model=Annotations,
    responses=tagged_problems(*_OF_IMAGE),
)
async def get_image_annotations(
    name: Name, label: Label, image_id: ImageId, parts: ReadyParts, unchanged: IsUnchanged
) -> Response:
    """Empty where there are none."""
    label = await existing_label(name, label, parts)
    return await _of_image(name, label, image_id, parts, unchanged)


async def _of_image(
    name: str, label: str, image_id: str, parts: ServiceParts, unchanged: IsUnchanged
) -> Response:
    tag = content_tag((await run_blocking(parts.registry.live, name)).state)
    record = await run_blocking(parts.registry.image, name, label, image_id)
    found = await run_blocking(parts.store.annotations, 0, record.class_id)
    return unchanged(tag) or _shown(found.get(record.id), tag)


@router.put(
    "/classes/{label}/images/{image_id}/annotations",
    summary="Write notes and metadata of an image",
    status_code=204,
    responses=change_problems(*_OF_IMAGE, *BODY_PROBLEMS),
)
async def put_image_annotations(
    name: Name,
    label: Label,
    image_id: ImageId,
    parts: ChangingParts,
    request: Request,
    body: Annotations,
) -> None:
    """They take the place of those that there are; they stay with the image when it is moved."""
    label = await existing_label(name, label, parts)
    call = parts.registry.reshaping.annotate
    await run_change(request, call, name, body.stored(), label, image_id)


def _shown(stored: object, tag: str) -> Response:
    content = Annotations.model_validate(stored or {}).model_dump_json()
    return tagged(Response(content, media_type="application/json"), tag)
