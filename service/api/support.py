"""``/v1/classifiers/{name}/classes`` and ``/support``: classes and their support images."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.api.bytes_in_flight import account_of
from service.api.dependencies import (
    NAMING,
    ImageId,
    Label,
    Name,
    ReadyRuntime,
    change_problems,
    classifier_problems,
    created,
    naming,
    reading,
    writing,
)
from service.api.described import IMAGE_TYPES, binary, files
from service.api.file_names import FileNameEncoding
from service.api.large_json import large_json
from service.api.names import as_written, checked_classifier, checked_label
from service.api.schemas import (
    ClassList,
    ClassOut,
    ClassSummary,
    ImageOut,
    RegisteredImage,
    RegistrationOut,
    SkippedFile,
)
from service.api.uploads import ZIP_TYPES, Upload, read_class_images, read_labelled_images
from service.api.waiting import attended
from service.composition import ServiceParts
from service.images.embedded import SupportImage
from service.problems import (
    BrokenImage,
    ClassifierNotFound,
    ClassNotFound,
    EmptyUpload,
    ImageNotFound,
    ImageNotStored,
    ImageTooLarge,
    InvalidName,
    InvalidUpload,
    NotAnImage,
    Overloaded,
    RequestTooLarge,
    UnsupportedMediaType,
)
from service.registry.live import LiveClassifier
from service.storage.records import SupportRecord

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["support set"])

_NOT_FOUND = (ClassifierNotFound("land-cover"), ClassNotFound("land-cover", "forest"))
_NO_IMAGE = ImageNotFound("Class 'forest' of classifier 'land-cover' has no image '0b54...'.")
_NOT_KEPT = ImageNotStored("The image supports its class, but the service was told not to keep ...")
BAD_IMAGES = (
    NotAnImage("The image 'a.txt' is not an image in a known format. Accepted are JPEG, ..."),
    BrokenImage("The image 'a.jpg' is truncated or damaged: ..."),
    ImageTooLarge("The image 'a.png' has 100000 x 100000 pixels; at most 64000000 are accepted."),
    RequestTooLarge("At most 2000 images are accepted in one request. Send several requests."),
    InvalidUpload("The multipart body is cut short: its last boundary is missing."),
    EmptyUpload("Send at least one image file, for instance curl -F files=@a.jpg."),
    UnsupportedMediaType("The body is 'text/html'. Send one or many files as ..."),
    Overloaded("256 images wait already, and no more are admitted. Send the request again in 3 s."),
)
IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": files(
                "One or many image files; the field's name does not matter.", "a.jpg"
            )
        }
        | {kind: binary(kind) for kind in (*IMAGE_TYPES, "application/octet-stream")},
    }
}
_SUPPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": files(
                "Image files, each with its label as folder of the file name (`filename="
                '"cat/1.jpg"`), and zips of such files; the field\'s name does not matter.',
                "forest/a.jpg",
            )
        }
        | {kind: binary(kind) for kind in sorted(ZIP_TYPES)},
    }
}


@router.get(
    "/classes",
    summary="List classes",
    response_model=ClassList,
    responses=classifier_problems(_NOT_FOUND[0]),
)
async def list_classes(name: Name, runtime: ReadyRuntime) -> Response:
    """All classes, in the order of their registration."""
    live = await _live(name, runtime)
    records, images = live.classes, live.support
    counts = await reading(lambda: Counter(record.class_id for record in images.values()))
    return await large_json(
        {"classifier": name},
        "classes",
        records.values(),
        lambda record: ClassSummary(label=record.label, n_images=counts[record.id]),
    )


@router.post(
    "/support",
    status_code=201,
    summary="Register many classes at once",
    responses=change_problems(
        _NOT_FOUND[0],
        *BAD_IMAGES,
        InvalidUpload("'a.jpg' has no folder to take the label from. Name files LABEL/IMAGE, ..."),
    ),
    openapi_extra=_SUPPORT_BODY,
)
async def post_support(
    name: Name,
    runtime: ReadyRuntime,
    request: Request,
    filename_encoding: Annotated[
        FileNameEncoding | None,
        Query(
            description="Encoding of file names that are not UTF-8, as `gb18030`, `big5`,"
            " `shift_jis`, `cp949`, `cp850`, `cp1251`; found out where it can be told.",
            examples=["shift_jis"],
        ),
    ] = None,
) -> RegistrationOut:
    """All images or none. The label is the folder in each file's name.

    Send a zip of ``LABEL/IMAGE`` files as the body, or multipart files named so. Folders around
    those of the classes, and folders below them, do not matter as long as it can be told which
    ones vary by class. What systems and tools leave in folders is skipped, and listed in the
    answer.
    """
    checked_classifier(name)
    await reading(runtime.registry.live, name)
    upload = await read_labelled_images(request, runtime.settings, filename_encoding)
    return await _register(name, upload, runtime, request)


@router.post(
    "/classes/{label}/images",
    status_code=201,
    summary="Register support images of a class",
    responses=change_problems(_NOT_FOUND[0], *BAD_IMAGES),
    openapi_extra=IMAGES_BODY,
)
async def post_images(
    name: Name, label: Label, runtime: ReadyRuntime, request: Request
) -> RegistrationOut:
    """All images or none. A label that is new becomes a class.

    An image that the class has already, byte for byte, is answered with the id it has.
    """
    checked_classifier(name)
    label = checked_label(label)
    await reading(runtime.registry.live, name)
    upload = await read_class_images(request, runtime.settings, label)
    return await _register(name, upload, runtime, request)


@router.get(
    "/classes/{label}/images/{image_id}",
    summary="Get a support image",
    response_class=Response,
    responses=classifier_problems(*_NOT_FOUND, _NO_IMAGE, _NOT_KEPT)
    | {
        200: {"content": {kind: binary(kind) for kind in IMAGE_TYPES}, "description": "As uploaded"}
    },
)
async def get_image(
    name: Name, label: Label, image_id: ImageId, runtime: ReadyRuntime, request: Request
) -> Response:
    """The image, byte for byte as it was uploaded."""
    label = await _known_label(name, label, runtime)
    record = await reading(runtime.registry.image, checked_classifier(name), label, image_id)
    content = await reading(runtime.store.content, record.id)
    if content is None:
        raise ImageNotStored(
            "The image supports its class, but the service was told not to keep images "
            "(HANDFUL_STORE_IMAGES=false) when it came."
        )
    account_of(request).take(len(content))  # until the client has read it
    return Response(content, media_type=record.media_type, headers=_INERT)


# Uploaded bytes go back to browsers: they must never be taken for a page or a script.
_INERT = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}


@router.delete(
    "/classes/{label}/images/{image_id}",
    status_code=204,
    summary="Delete a support image",
    responses=change_problems(*_NOT_FOUND, _NO_IMAGE),
)
async def delete_image(
    name: Name, label: Label, image_id: ImageId, runtime: ReadyRuntime, request: Request
) -> None:
    """The class stays, also without images."""
    label = await _known_label(name, label, runtime)
    await writing(request, runtime.registry.delete_image, checked_classifier(name), label, image_id)


@router.put(
    "/classes/{label}",
    summary="Declare a class by its name",
    response_model=ClassOut,
    responses=created(ClassOut) | change_problems(_NOT_FOUND[0], *NAMING),
)
async def put_class(name: Name, label: Label, runtime: ReadyRuntime, request: Request) -> Response:
    """A class without images is known by its name alone (zero-shot)."""
    label = checked_label(label)
    created = await naming(
        request, runtime, runtime.registry.put_class, checked_classifier(name), label
    )
    response = await _class(name, label, runtime)
    response.status_code = 201 if created else 200
    return response


@router.get(
    "/classes/{label}",
    summary="Look at a class",
    response_model=ClassOut,
    responses=classifier_problems(*_NOT_FOUND),
)
async def get_class(name: Name, label: Label, runtime: ReadyRuntime) -> Response:
    """The class with its support images."""
    return await _class(name, await _known_label(name, label, runtime), runtime)


@router.delete(
    "/classes/{label}",
    status_code=204,
    summary="Delete a class with its images",
    responses=change_problems(*_NOT_FOUND),
)
async def delete_class(name: Name, label: Label, runtime: ReadyRuntime, request: Request) -> None:
    """The other classes stay as they are."""
    label = await _known_label(name, label, runtime)
    await writing(request, runtime.registry.delete_class, checked_classifier(name), label)


async def _live(name: str, runtime: ServiceParts) -> LiveClassifier:
    return await reading(runtime.registry.live, checked_classifier(name))


async def _known_label(name: str, label: str, runtime: ServiceParts) -> str:
    """The label of a class to look at or to delete.

    Older versions took labels that are refused now; what they made must not stay for ever.

    Raises:
        InvalidName: It cannot be a label, and no class has it.
    """
    try:
        return checked_label(label)
    except InvalidName:
        written = as_written(label)
        if written not in (await _live(name, runtime)).classes:
            raise
        return written


async def _class(name: str, label: str, runtime: ServiceParts) -> Response:
    live = await _live(name, runtime)
    if (record := live.classes.get(label)) is None:
        raise ClassNotFound(name, label)
    support, class_id = live.support, record.id
    images = await reading(lambda: [one for one in support.values() if one.class_id == class_id])
    return await large_json(
        {"label": label, "n_images": len(images), "classifier": name},
        "images",
        images,
        lambda image: _image(label, image),
    )


async def _register(
    name: str, upload: Upload, runtime: ServiceParts, request: Request
) -> RegistrationOut:
    images = [image for _, image in upload.labelled]
    await reading(runtime.registry.check_room, name, [label for label, _ in upload.labelled])
    embedded = await runtime.embedder.register(images, name, attended(request))
    registered = await naming(
        request,
        runtime,
        runtime.registry.add_images,
        name,
        [
            SupportImage(label, image)
            for (label, _), image in zip(upload.labelled, embedded, strict=True)
        ],
    )
    created = sum(answer.created for answer in registered)
    return RegistrationOut(
        classifier=name,
        created=created,
        duplicates=len(registered) - created,
        images=[
            RegisteredImage(
                id=answer.record.public_id,
                label=answer.label,
                filename=image.filename,
                status="created" if answer.created else "duplicate",
            )
            for answer, (_, image) in zip(registered, upload.labelled, strict=True)
        ],
        skipped=[SkippedFile(file=file, reason=reason) for file, reason in upload.skipped],
    )


def _image(label: str, record: SupportRecord) -> ImageOut:
    return ImageOut(
        id=record.public_id,
        label=label,
        filename=record.filename,
        sha256=record.sha256,
        media_type=record.media_type,
        width=record.width,
        height=record.height,
        created_at=record.created_at,
    )
