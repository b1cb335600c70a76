"""Images in JSON: as data, as embeddings, as references to stored ones, by URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from service.api.json_documents import LongString
from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier, Sha256

KINDS = ("data", "embedding", "image_id", "url")
"""Members of which an image has exactly one."""

# Of the column (service/storage/tables/).
_MOST_NAME = 255
_NAME = r"^[^\u0000-\u001f\u007f-\u009f]*$"
# Bytes in which a text of so many characters may be written, escapes and all.
_LONGEST_TEXT = 100_000


def _short(value: Any) -> Any:
    """A text that was left where it is, since it is written in many bytes."""
    if not isinstance(value, LongString):
        return value
    if len(value) > _LONGEST_TEXT:
        raise PydanticCustomError("too_long", "is a text of more than {most} bytes", _LONG)
    try:
        return value.text()
    except ValueError as error:
        raise PydanticCustomError("no_text", "{why}", {"why": str(error)}) from error


_LONG = {"most": _LONGEST_TEXT}


def _data(value: Any) -> Any:
    if isinstance(value, str | LongString):
        return value
    raise PydanticCustomError("data_type", "is no string; write base64, or a data URI of it")


def _numbers(value: Any) -> Any:
    if isinstance(value, str | LongString | list):
        return value
    raise PydanticCustomError("row_type", "is neither a list of numbers nor base64 of them")


ShortText = BeforeValidator(_short)
FileName = Annotated[
    str,
    ShortText,
    Field(
        max_length=_MOST_NAME,
        pattern=_NAME,
        json_schema_extra={"pattern": _NAME},
        description="A name for it, for answers and messages; its folders mean nothing.",
    ),
]
Base64 = Annotated[
    Any,
    BeforeValidator(_data),
    WithJsonSchema({"type": "string", "minLength": 1, "format": "image-base64"}),
]
"""A string or a `LongString`, which is not looked at yet."""
Row = Annotated[
    Any,
    BeforeValidator(_numbers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "number"}, "minItems": 1},
                {"type": "string", "minLength": 1, "contentEncoding": "base64"},
            ],
            "description": "Numbers, or base64 of float32 (little-endian).",
        }
    ),
]


class Strict(BaseModel):
    """What is not known might change what is meant, and is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


Label = Annotated[ClassLabel, ShortText]


class EmbeddingIn(Strict):
    """Both embeddings of an image, as `POST /v1/embeddings` answers them; unit vectors."""

    frozen: Row = Field(description="As the encoder was trained; comparable with texts.")
    corrected: Row = Field(description="With less intra-modal overlap.")


class _Image(Strict):
    label: Label | None = Field(
        default=None,
        description="Of its class, for who has it: predictions do not look at it, and where a path"
        " names a class it is that one's.",
    )


class ImageData(_Image):
    """An image by its bytes."""

    data: Base64 = Field(
        description="The bytes of the file in base64 (RFC 4648, either alphabet, no line breaks),"
        " or a data URI of it (`data:image/png;base64,...`)."
    )
    filename: FileName = ""


class ImageEmbedding(_Image):
    """An image by its embeddings alone; its bytes are not known."""

    embedding: EmbeddingIn
    fingerprint: Annotated[Sha256, ShortText] = Field(
        pattern="^[0-9a-f]{64}$",
        description="Of what has embedded it; it must be that of the classifier.",
    )
    filename: FileName = ""


class ImageReference(_Image):
    """A support image of the classifier, or of another one."""

    image_id: Annotated[ImageIdentifier, ShortText] = Field(pattern="^[0-9a-f]{32}$")
    classifier: Annotated[ClassifierName, ShortText] | None = Field(
        default=None, description="Whose image it is; the one that is asked by default."
    )


class ImageUrl(_Image):
    """An image that the service fetches from a host of HANDFUL_FETCH_FROM."""

    url: Annotated[str, ShortText] = Field(
        max_length=4096, description="https, or http where that is allowed."
    )
    filename: FileName = ""


class LabelledImageData(ImageData):
    """An image by its bytes, with the label of its class."""

    label: Label


class LabelledImageEmbedding(ImageEmbedding):
    """An image by its embeddings alone, with the label of its class."""

    label: Label


class LabelledImageReference(ImageReference):
    """A support image, with the label of the class that it joins."""

    label: Label


class LabelledImageUrl(ImageUrl):
    """An image that the service fetches, with the label of its class."""

    label: Label


def kind_of(value: Any, kinds: Sequence[str] = KINDS) -> str | None:
    """Which one of some members an object has; None where it has not exactly one."""
    if not isinstance(value, dict):
        return None
    given = [kind for kind in kinds if kind in value]
    return given[0] if len(given) == 1 else None


_ONE_KIND = Discriminator(
    kind_of,
    custom_error_type="image_kind",
    custom_error_message="is no object with exactly one of data, embedding, image_id and url",
)
AnyImage = Annotated[
    Annotated[ImageData, Tag("data")]
    | Annotated[ImageEmbedding, Tag("embedding")]
    | Annotated[ImageReference, Tag("image_id")]
    | Annotated[ImageUrl, Tag("url")],
    _ONE_KIND,
]
AnyLabelledImage = Annotated[
    Annotated[LabelledImageData, Tag("data")]
    | Annotated[LabelledImageEmbedding, Tag("embedding")]
    | Annotated[LabelledImageReference, Tag("image_id")]
    | Annotated[LabelledImageUrl, Tag("url")],
    _ONE_KIND,
]

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFElEQVR4nGO0qbBhwAaYsIoOWgkAwKgBAIFUYHAA"
    "AAAASUVORK5CYII="
)


class ImagesIn(Strict):
    """Images, one or more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": [{"data": PIXEL}]}]})

    images: list[AnyImage] = Field(min_length=1)


class LabelledImagesIn(Strict):
    """Images, one or more, each with the label of its class."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"images": [{"data": PIXEL, "label": "forest"}]}]}
    )

    images: list[AnyLabelledImage] = Field(min_length=1)
