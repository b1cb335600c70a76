"""Copy, rename and merge: classifiers and classes; images moved and deleted, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Request, Response

from service.api.conditional_requests import ChangingParts
from service.api.dependencies import Label, Name
from service.api.json_route import JsonRoute
from service.api.named_classifiers import named_classifier
from service.api.offloading import run_blocking, run_change, run_change_with_texts
from service.api.openapi.responses import (
    BODY_PROBLEMS,
    CLASS_NOT_FOUND,
    CLASSIFIER_NOT_FOUND,
    IMAGE_NOT_FOUND,
    NAMING_PROBLEMS,
    change_problems,
)
from service.api.routes.classes import existing_label
from service.api.routes.classifiers import classifier_shown
from service.api.schemas.classifiers import ClassifierOut
from service.api.schemas.reshaping import (
    DeletedOut,
    FromClassifier,
    FromLabels,
    ImagesToDelete,
    ImagesToMove,
    MovedOut,
    ToClassifier,
    ToLabel,
)
from service.api.support_views import changed_with_views
from service.api.waiting import UntilTuned
from service.images.embedded import EmbeddedImage
from service.name_validation import checked_label
from service.problems import (
    ClassExists,
    ClassifierExists,
    InvalidName,
    InvalidSettings,
    NotAllowed,
)
from service.registry.reshaping import Moved
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["classifiers"], route_class=JsonRoute)
_TAKEN = ClassifierExists("land-cover", "There is a classifier 'land-cover' already. ...")
_BAD_NAME = InvalidName("'a b' cannot name a classifier. ...")
_NOT_MINE = NotAllowed("This key is for some classifiers, and 'land-cover' is none of them: ...")
_NAMED = (CLASSIFIER_NOT_FOUND, _BAD_NAME, _NOT_MINE, *BODY_PROBLEMS)


@router.post(
    "/copy",
    status_code=201,
    summary="Copy a classifier",
    responses=change_problems(*_NAMED, _TAKEN),
)
async def copy_classifier(
    name: Name, parts: ChangingParts, request: Request, response: Response, body: ToClassifier
) -> ClassifierOut:
    """Another classifier with the same settings, classes, images, tuning, notes and metadata.

    Images are shared, so it costs a row an image and no bytes. Both change for themselves then;
    images of the copy have ids of their own.
    """
    to = named_classifier(request, body.to)
    await run_change(request, lambda to: parts.registry.reshaping.copy(name, to), to)
    response.headers["location"] = f"{request.scope.get('root_path', '')}/v1/classifiers/{bare(to)}"
    return await classifier_shown(to, parts)


@router.post("/rename", summary="Rename a classifier", responses=change_problems(*_NAMED, _TAKEN))
async def rename_classifier(
    name: Name, parts: ChangingParts, request: Request, body: ToClassifier
) -> ClassifierOut:
    """The old name is free then; all else stays, ids of images as well."""
    to = named_classifier(request, body.to)
    await run_change(request, parts.registry.reshaping.rename, name, to)
    return await classifier_shown(to, parts)


@router.post(
    "/merge",
    summary="Take over classes and images of another classifier",
    responses=change_problems(
        *_NAMED,
        *NAMING_PROBLEMS,
        InvalidSettings("support_views: 3 of the 40 images were not kept ..."),
    ),
)
async def merge_classifier(
    name: Name,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    body: FromClassifier,
) -> MovedOut:
    """The other one stays as it is. An image that its class has already is not added again.

    Where the other embeds images in another way (support views), they are embedded anew.
    """
    other = named_classifier(request, body.other)

    async def merge(embedded: Mapping[str, EmbeddedImage]) -> Moved:
        call = partial(parts.registry.reshaping.merge, embedded=embedded)
        return await run_change_with_texts(request, parts, call, name, other)

    moved = await changed_with_views(request, parts, name, merge)
    await until_tuned(name)
    return MovedOut.model_validate(moved)


@router.post(
    "/classes/{label}/rename",
    summary="Rename a class",
    status_code=204,
    responses=change_problems(
        CLASSIFIER_NOT_FOUND,
        CLASS_NOT_FOUND,
        ClassExists("land-cover", "forest"),
        *NAMING_PROBLEMS,
        *BODY_PROBLEMS,
    ),
)
async def rename_class(
    name: Name,
    label: Label,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    body: ToLabel,
) -> None:
    """Its images, their ids and its place stay; its name means what the new one does."""
    label = await existing_label(name, label, parts)
    to = checked_label(body.to)
    call = parts.registry.reshaping.rename_class
    await run_change_with_texts(request, parts, call, name, label, to)
    await until_tuned(name)


@router.post(
    "/classes/{label}/merge",
    summary="Merge other classes into one",
    responses=change_problems(CLASSIFIER_NOT_FOUND, CLASS_NOT_FOUND, *BODY_PROBLEMS),
)
async def merge_classes(
    name: Name,
    label: Label,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    body: FromLabels,
) -> MovedOut:
    """All images of the others become images of this class, with their ids; the others go."""
    label = await existing_label(name, label, parts)
    others = await run_blocking(lambda: [checked_label(one) for one in body.others])
    moved = await run_change(request, parts.registry.reshaping.merge_classes, name, label, others)
    await until_tuned(name)
    return MovedOut.model_validate(moved)


@router.post(
    "/images/move",
    summary="Move images to a class",
    responses=change_problems(
        CLASSIFIER_NOT_FOUND, IMAGE_NOT_FOUND, *NAMING_PROBLEMS, *BODY_PROBLEMS
    ),
)
async def move_images(
    name: Name,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    body: ImagesToMove,
) -> MovedOut:
    """All of them or none; their ids stay. A label that is new becomes a class."""
    to = checked_label(body.to)
    call = parts.registry.reshaping.move_images
    moved = await run_change_with_texts(request, parts, call, name, body.images, to)
    await until_tuned(name)
    return MovedOut.model_validate(moved)


@router.post(
    "/images/delete",
    summary="Delete many images",
    responses=change_problems(CLASSIFIER_NOT_FOUND, IMAGE_NOT_FOUND, *BODY_PROBLEMS),
)
async def delete_images(
    name: Name,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    body: ImagesToDelete,
) -> DeletedOut:
    """All of them or none, of any classes; ids that there are not are named."""
    deleted = await run_change(request, parts.registry.reshaping.delete_images, name, body.images)
    await until_tuned(name)
    return DeletedOut(deleted=deleted)
