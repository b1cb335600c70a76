"""``/support`` and ``/classes/{label}/images`` of a classifier: its support images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.api.conditional_requests import ChangingParts, IsUnchanged
from service.api.dependencies import ImageId, Label, Name, ReadyParts
from service.api.entity_tags import content_tag, tagged
from service.api.job_requests import JOB_ACCEPTED, Prefer, accepted_job, with_job_input
from service.api.json_images.embedding import embedded_support
from service.api.json_images.items import Item
from service.api.json_images.reading import is_json
from service.api.json_images.receiving import received_items, received_labelled_items
from service.api.middleware.bytes_in_flight import account_of
from service.api.offloading import run_blocking, run_change, run_change_with_texts, texts_ahead
from service.api.openapi.media_types import IMAGE_TYPES, IMAGES_BODY, SUPPORT_BODY, binary
from service.api.openapi.responses import (
    CLASS_NOT_FOUND,
    CLASSIFIER_NOT_FOUND,
    ETAG,
    IMAGE_PROBLEMS,
    ITEM_PROBLEMS,
    JOB_PROBLEMS,
    change_problems,
    tagged_problems,
)
from service.api.openapi.schema_types import LABEL_SCHEMA
from service.api.routes.classes import existing_label
from service.api.schemas.support_set import RegisteredImage, RegistrationOut, SkippedFile
from service.api.support_views import registered_with_views
from service.api.uploads.content_disposition import FileNameEncoding
from service.api.uploads.image_uploads import read_class_images, read_labelled_images
from service.api.waiting import UntilTuned
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.file_reasons import FileReason
from service.images.embedded import EmbeddedImage, SupportImage
from service.name_validation import checked_label, checked_labels
from service.problems import (
    AnswerTooLarge,
    ImageDamaged,
    ImageNotFound,
    ImageNotStored,
    InvalidUpload,
    OtherLabel,
    SingleLabels,
)
from service.registry.query_batching import MOST_ROWS
from service.registry.registered import Registered
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["support set"])

# Candidates that an image is taken for, before and after: enough to see what it competes with.
_TOP_K = 3
Predict = Annotated[
    bool,
    Query(
        description="Whether to say of each image what it was taken for before the change, and what"
        " it is taken for after it (`before`, `after`); it is embedded once for all."
    ),
]
_NOT_FOUND = CLASSIFIER_NOT_FOUND, CLASS_NOT_FOUND
_NO_IMAGE = ImageNotFound("Class 'forest' of classifier 'land-cover' has no image '0b54...'.")
_TOO_MANY = AnswerTooLarge("The answer would name 120000 candidates, for 20000 images; at most...")
_OTHER_LABEL = OtherLabel("images[0].label is 'river', and the path names the class 'forest'. ...")
_ONE = SingleLabels("An image of this classifier has one label: leave `labels` out, or PUT ...")
_NOT_KEPT = ImageNotStored("The image supports its class, but the service was told not to keep ...")


@router.post(
    "/support",
    status_code=201,
    summary="Register many classes at once",
    responses=change_problems(
        CLASSIFIER_NOT_FOUND,
        *IMAGE_PROBLEMS,
        *ITEM_PROBLEMS,
        _TOO_MANY,
        _ONE,
        InvalidUpload("'a.jpg' has no folder to take the label from. Name files LABEL/IMAGE, ..."),
        *JOB_PROBLEMS,
    )
    | JOB_ACCEPTED,
    response_model=RegistrationOut,
    openapi_extra=with_job_input(SUPPORT_BODY),
)
async def post_support(
    name: Name,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    filename_encoding: Annotated[
        FileNameEncoding | None,
        Query(
            description="Encoding of file names that are not UTF-8, as `gb18030`, `big5`,"
            " `shift_jis`, `cp949`, `cp850`, `cp1251`; found out where it can be told.",
            examples=["shift_jis"],
        ),
    ] = None,
    predict: Predict = False,
    labels: Annotated[
        list[Annotated[str, Field(json_schema_extra=LABEL_SCHEMA)]] | None,
        Query(
            max_length=100,
            description="Labels of each image of the request, all of them; of a classifier with"
            " `multi_label`. Folders and labels that images come with are not looked at then, and"
            " the answer comes at once.",
            examples=[[]],
        ),
    ] = None,
    prefer: Prefer = None,
) -> RegistrationOut | Response:
    """All images or none. The label is the folder in each file's name.

    Send a zip of ``LABEL/IMAGE`` files as the body, or multipart files named so. Folders around
    those of the classes, and folders below them, do not matter as long as it can be told which
    ones vary by class. What systems and tools leave in folders is skipped, and listed in the
    answer.

    A zip with `Prefer: respond-async`, or a folder of the service's machine, is answered with 202
    and a job, which registers what it can, some hundred images in a change.
    """
    if labels:
        return await _with_all_labels(name, labels, parts, request, until_tuned, predict=predict)
    asked = {"filename_encoding": filename_encoding}
    if (job := await accepted_job(request, parts, "register", name, asked)) is not None:
        return job
    await run_blocking(parts.registry.live, name)
    if is_json(request):
        labelled = await received_labelled_items(request, parts)
        return await register_items(
            name, labelled, (), parts, request, until_tuned, predict=predict
        )
    upload = await read_labelled_images(request, parts.settings, filename_encoding)
    return await register_items(
        name, upload.labelled, upload.skipped, parts, request, until_tuned, predict=predict
    )


async def _with_all_labels(
    name: str,
    labels: Sequence[str],
    parts: ServiceParts,
    request: Request,
    until_tuned: UntilTuned,
    *,
    predict: bool,
) -> RegistrationOut:
    """Register images that each have all these labels."""
    wanted = checked_labels(labels)
    live = await run_blocking(parts.registry.live, name)
    if not live.settings.multi_label:
        raise SingleLabels(
            "An image of this classifier has one label: leave `labels` out, or PUT the classifier"
            " with multi_label."
        )
    skipped: Sequence[FileReason] = ()
    images: Sequence[Item]
    if is_json(request):
        images = await received_items(request, parts)
    else:
        upload = await read_class_images(request, parts.settings, wanted[0])
        images, skipped = [image for _, image in upload.labelled], upload.skipped
    labelled = [(label, image) for image in images for label in wanted]
    return await register_items(
        name, labelled, skipped, parts, request, until_tuned, predict=predict
    )


@router.post(
    "/classes/{label}/images",
    status_code=201,
    summary="Register support images of a class",
    responses=change_problems(
        CLASSIFIER_NOT_FOUND, *IMAGE_PROBLEMS, *ITEM_PROBLEMS, _TOO_MANY, _OTHER_LABEL
    ),
    openapi_extra=IMAGES_BODY,
)
async def post_images(
    name: Name,
    label: Label,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
    predict: Predict = False,
) -> RegistrationOut:
    """All images or none. A label that is new becomes a class.

    An image that the class has already, byte for byte, is answered with the id it has. With
    ``predict=true`` a correction is seen at once: what the image was taken for, and is now.

    Images of the label ``not-these`` are explicit negatives: no query is answered with it, and
    queries that resemble them are unknown (``known: false``).
    """
    label = checked_label(label)
    await run_blocking(parts.registry.live, name)
    if is_json(request):
        labelled = [(label, item) for item in await received_items(request, parts, label)]
        return await register_items(
            name, labelled, (), parts, request, until_tuned, predict=predict
        )
    upload = await read_class_images(request, parts.settings, label)
    return await register_items(
        name, upload.labelled, upload.skipped, parts, request, until_tuned, predict=predict
    )


@router.get(
    "/classes/{label}/images/{image_id}",
    summary="Get a support image",
    response_class=Response,
    responses=tagged_problems(*_NOT_FOUND, _NO_IMAGE, _NOT_KEPT, ImageDamaged("are gone"))
    | {
        200: {
            "content": {kind: binary(kind) for kind in IMAGE_TYPES},
            "description": "As uploaded",
            "headers": ETAG,
        }
    },
)
async def get_image(
    name: Name,
    label: Label,
    image_id: ImageId,
    parts: ReadyParts,
    request: Request,
    unchanged: IsUnchanged,
) -> Response:
    """The image, byte for byte as it was uploaded."""
    label = await existing_label(name, label, parts)
    state = (await run_blocking(parts.registry.live, name)).state
    record = await run_blocking(parts.registry.image, name, label, image_id)
    tag = content_tag(state, record.sha256)
    if (same := unchanged(tag, digest=True)) is not None:
        return same
    content = await run_blocking(parts.store.content, record.id)
    if content is None:
        raise ImageNotStored(
            "The image supports its class, but the service was told not to keep images "
            "(HANDFUL_STORE_IMAGES=false) when it came, or its embeddings alone were sent."
        )
    account_of(request).take(len(content))  # until the client has read it
    return tagged(Response(content, media_type=record.media_type, headers=INERT), tag)


# Uploaded bytes go back to browsers: they must never be taken for a page or a script.
INERT = {"content-security-policy": "default-src 'none'; sandbox"}


@router.delete(
    "/classes/{label}/images/{image_id}",
    status_code=204,
    summary="Delete a support image",
    responses=change_problems(*_NOT_FOUND, _NO_IMAGE),
)
async def delete_image(
    name: Name,
    label: Label,
    image_id: ImageId,
    parts: ChangingParts,
    request: Request,
    until_tuned: UntilTuned,
) -> None:
    """The class stays, also without images."""
    label = await existing_label(name, label, parts)
    await run_change(request, parts.registry.delete_image, name, label, image_id)
    await until_tuned(name)


async def register_items(
    name: str,
    labelled: Sequence[tuple[str, Item]],
    skipped: Sequence[FileReason],
    parts: ServiceParts,
    request: Request,
    until_tuned: UntilTuned,
    *,
    predict: bool,
) -> RegistrationOut:
    """Register images with their labels, all of them or none.

    Args:
        name: The classifier's.
        labelled: One or more; an image that comes with several labels is embedded once.
        skipped: Files to be named in the answer.
        parts: Of the service.
        request: Whose client waits.
        until_tuned: Called when it is done.
        predict: Whether to say what each is taken for, before and after.

    Raises as :meth:`service.registry.registry.Registry.add_images`, and as embedding does.
    """
    distinct = {id(image): image for _, image in labelled}
    place_of = {key: place for place, key in enumerate(distinct)}
    images = list(distinct.values())
    labels = [label for label, _ in labelled]
    needed = await run_blocking(parts.registry.check_room, name, labels)
    if predict and 2 * _TOP_K * len(labels) > MOST_ROWS:
        raise AnswerTooLarge(
            f"The answer would name {2 * _TOP_K * len(labels)} candidates, for {len(labels)} "
            f"images; at most {MOST_ROWS} are accepted. Send at most {MOST_ROWS // (2 * _TOP_K)} "
            "images in a request, or ask without predict."
        )

    live = await run_blocking(parts.registry.live, name)

    async def embed(wait: Wait, fingerprint: str, views: int) -> list[EmbeddedImage]:
        return await embedded_support(parts, images, name, wait, fingerprint, views)

    async with texts_ahead(request, parts, name, needed) as texts:

        async def register(embedded: list[EmbeddedImage]) -> list[Registered]:
            return await run_change_with_texts(
                request,
                parts,
                parts.registry.add_images,
                name,
                [SupportImage(label, embedded[place_of[id(image)]]) for label, image in labelled],
                _TOP_K if predict else None,
                texts=await texts(),
            )

        registered = await registered_with_views(
            request, parts, name, embed, live.settings.support_views, live.fingerprint, register
        )
    await until_tuned(name)
    created = sum(answer.created for answer in registered)
    return RegistrationOut(
        classifier=bare(name),
        created=created,
        duplicates=len(registered) - created,
        images=[RegisteredImage.model_validate(answer) for answer in registered],
        skipped=[SkippedFile.model_validate(file) for file in skipped],
    )
