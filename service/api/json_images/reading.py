"""Images in JSON: from the body of a request to items, each with its place in the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from service.api.json_documents import LongString, Path, read_document, refusal, written
from service.api.json_images.items import GivenEmbedding, Item, Reference, Remote
from service.api.limiters import Limiters
from service.api.schemas.images import (
    AnyImage,
    ImageData,
    ImageEmbedding,
    ImageReference,
    ImagesIn,
    ImageUrl,
    LabelledImagesIn,
)
from service.api.uploads.bodies import body_of, media_type_of
from service.api.uploads.image_uploads import check_count
from service.images.base64_text import decode_base64, decoded_size, without_uri
from service.images.uploaded import UploadedImage
from service.name_validation import checked_label
from service.problems import ImageTooLarge, InvalidName, InvalidRequest, InvalidUpload, OtherLabel
from service.settings import Settings

Model = TypeVar("Model", bound=BaseModel)
# Bytes of a document up to which it is parsed beside others, as other JSON is.
_SMALL = 2**20
# What pydantic says of members that are there too many, or missing.
_PHRASES = {
    "extra_forbidden": "is nothing that is read here; leave it out",
    "missing": "is missing",
    "too_short": "is empty",
    "string_type": "is no string",
    "list_type": "is no list",
}


def is_json(request: Request) -> bool:
    """Whether the body is JSON, by its type."""
    media_type = media_type_of(request)
    return media_type == "application/json" or media_type.endswith("+json")


async def read_items(request: Request, settings: Settings, label: str | None = None) -> list[Item]:
    """The images of a JSON body.

    Args:
        request: Its body is read.
        settings: The limits.
        label: Of the class that they are for; None: whatever labels they have do not matter.

    Raises:
        InvalidRequest: It is not as described; says where.
        InvalidName: A label can be none.
        OtherLabel: An image has another label.
        RequestTooLarge: There are too many images, or too many values.
    """
    document = await read_model(request, ImagesIn)
    check_count(len(document.images), settings)
    labels = await labels_of(document.images)
    for place, own in enumerate(labels):
        if None not in (label, own) and own != label:
            raise OtherLabel(
                f"images[{place}].label is {own!r}, and the path names the class {label!r}. Leave "
                "the label out, or POST images of several classes to .../support."
            )
    return items_of(document.images, settings)


async def read_labelled_items(request: Request, settings: Settings) -> list[tuple[str, Item]]:
    """The images of a JSON body with their labels.

    Raises:
        InvalidName: Some labels cannot be used.

    Raises as :func:`read_items`, too.
    """
    document = await read_model(request, LabelledImagesIn)
    check_count(len(document.images), settings)
    labels = await labels_of(document.images)
    items = items_of(document.images, settings)
    return [(label or "", item) for label, item in zip(labels, items, strict=True)]


async def read_model(request: Request, model: type[Model]) -> Model:
    """The body, as a model of it; as :func:`read_one_of`."""
    return await read_one_of(request, lambda _: model)


async def read_one_of(
    request: Request, choose: Callable[[Mapping[str, Any]], type[Model]]
) -> Model:
    """The body, as a model of it; its long strings stay where they are.

    Args:
        request: Its body is read.
        choose: Says of a document which model it is to be; may raise.

    Raises:
        InvalidRequest: It is not as described; says where.
        RequestTooLarge: There are too many values.
    """
    body = await body_of(request)

    def read() -> Model:
        document = read_document(body)
        try:
            return choose(document).model_validate(document)
        except ValidationError as error:
            raise _refusal(error) from error

    # Small ones wait for no large one.
    turns = Limiters.of(request).documents if len(body) > _SMALL else None
    return await anyio.to_thread.run_sync(read, limiter=turns)


def inputs_of(inputs: Sequence[str | LongString], settings: Settings) -> list[Item]:
    """Images in OpenAI's shape: data URIs, base64, URLs."""
    return [_input(one, ("input", place), settings) for place, one in enumerate(inputs)]


def _input(written: str | LongString, place: Path, settings: Settings) -> Item:
    begin = written.beginning() if isinstance(written, LongString) else written
    if not begin.lower().startswith(("http:", "https:")):
        return uploaded(written, "", place, settings)
    try:
        url = written.text() if isinstance(written, LongString) else written
    except ValueError as error:
        raise refusal([(place, str(error))]) from error
    return Remote(url, "", place)


def uploaded(
    data: str | LongString, filename: str, place: Path, settings: Settings
) -> UploadedImage:
    """An image in base64, decoded when it is read."""
    shown = written(place)
    called = f"{shown} ({filename!r})" if filename else shown
    return UploadedImage(filename, partial(_decoded, data, called, settings.max_image_bytes), shown)


async def labels_of(images: Sequence[AnyImage]) -> list[str | None]:
    """The labels of images as they are kept, where they have any.

    Raises:
        InvalidName: One of them can be none.
    """
    return await anyio.to_thread.run_sync(_labels, images)


def _labels(images: Sequence[AnyImage]) -> list[str | None]:
    checked: dict[str | None, str | None] = {None: None}
    for place, image in enumerate(images):
        if image.label is not None and image.label not in checked:
            try:
                checked[image.label] = checked_label(image.label)
            except InvalidName as error:
                raise InvalidName(f"images[{place}].label: {error.detail}") from error
    return [checked[image.label] for image in images]


def items_of(images: Sequence[AnyImage], settings: Settings) -> list[Item]:
    """Images of a document, in their order."""
    return [_item(image, ("images", place), settings) for place, image in enumerate(images)]


def _item(image: AnyImage, place: Path, settings: Settings) -> Item:
    match image:
        case ImageData():
            return uploaded(image.data, image.filename, (*place, "data"), settings)
        case ImageEmbedding():
            given = image.embedding
            return GivenEmbedding(
                image.filename, place, image.fingerprint, given.frozen, given.corrected
            )
        case ImageReference():
            return Reference(image.image_id, place, image.classifier)
        case ImageUrl():
            return Remote(image.url, image.filename, (*place, "url"))


def _decoded(data: str | LongString, called: str, most: int) -> bytes:
    """In a decoder's thread, and again where it is written."""
    try:
        text = data.content() if isinstance(data, LongString) else data.encode()
        text = without_uri(text)
        if (size := decoded_size(text)) > most + 4:
            raise ImageTooLarge(f"{called} has some {size} bytes; at most {most} are accepted.")
        return decode_base64(text)
    except ValueError as error:
        raise InvalidUpload(f"{called} {error}.") from error


def _refusal(error: ValidationError) -> InvalidRequest:
    faults: list[tuple[Path, str]] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path = one["loc"]
        if len(path) > 2 and isinstance(path[1], int):  # without the kind of image
            path = (*path[:2], *path[3:])
        message = _PHRASES.get(one["type"]) or one["msg"]
        if message[:1].isupper():
            message = f"is not as described: {message[0].lower()}{message[1:]}"
        faults.append((path, message))
    return refusal(faults)
