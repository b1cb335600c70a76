"""The JSON in a classifier's file: one document of the whole, and a line for each class and image.

Lines are parsed one by one, so that no file holds the interpreter up, however many there are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from service.exchange.contents import ExportedClass, ExportedImage
from service.images.embedded import EMBEDDING_TYPE
from service.images.formats import ImageFormat
from service.name_validation import checked_label
from service.problems import InvalidUpload

FORMAT = "handful-classifier-2"
DOCUMENT = "classifier.json"
CLASSES = "classes.jsonl"
IMAGES = "images.jsonl"
EMBEDDINGS = "embeddings.safetensors"
FOLDER = "images/"
"""Members of the file; the bytes of an image are in the folder, under their SHA-256."""

MOST_DOCUMENT_BYTES = 2**20
MOST_LINE_BYTES = 4096


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment of that time zone is in no year") from error


def _printable(name: str) -> str:
    if "\0" in name:
        raise ValueError("a file name holds no NUL")
    return name


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_MEDIA_TYPES = (*(kind.media_type for kind in ImageFormat), EMBEDDING_TYPE)
_Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Id = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
# The row's widths (service/storage/tables/).
_FileName = Annotated[str, StringConstraints(max_length=255), AfterValidator(_printable)]
_Part = Annotated[str, StringConstraints(max_length=255)]


class _Strict(BaseModel):
    """What is not known belongs to another version, and might change what is meant."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, from_attributes=True
    )


class SourceJson(_Strict):
    """Whose embeddings these are."""

    fingerprint: _Sha256
    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    adapter: _Part | None
    prompts: _Part | None


class TuningStateJson(_Strict):
    """Whether the tuning is that of the support set."""

    is_current: bool
    since: Moment | None
    images_behind: _Count


class Document(_Strict):
    """``classifier.json``."""

    format: Literal["handful-classifier-2"]
    backbone: SourceJson
    settings: dict[str, Any]
    tuning: dict[str, Any]
    tuning_state: TuningStateJson
    n_classes: _Count
    n_images: _Count


class ClassLine(_Strict):
    """A line of ``classes.jsonl``."""

    label: Annotated[str, StringConstraints(max_length=255)]
    created_at: Moment | None

    def value(self) -> ExportedClass:
        """The class.

        Raises:
            InvalidName: It cannot have that label.
        """
        if (label := checked_label(self.label)) != self.label:
            raise InvalidUpload(
                f"The label {self.label!r} in {CLASSES} is not in the form that labels are kept in,"
                f" which is {label!r} (Unicode's NFC, no spaces around)."
            )
        return ExportedClass(label=label, created_at=self.created_at)


class ImageLine(_Strict):
    """A line of ``images.jsonl``."""

    id: _Id
    label: Annotated[str, StringConstraints(max_length=255)]
    filename: _FileName
    sha256: _Sha256
    media_type: Literal[_MEDIA_TYPES]  # type: ignore[valid-type]
    width: _Count
    height: _Count
    nbytes: _Count | None = Field(description="Of the member that holds its bytes; null: none.")
    created_at: Moment

    @model_validator(mode="after")
    def _has_sides(self) -> Self:
        if (self.media_type == EMBEDDING_TYPE) != (self.width == self.height == 0):
            raise ValueError("width and height are 0 of images of which embeddings alone are known")
        if self.media_type != EMBEDDING_TYPE and 0 in (self.width, self.height):
            raise ValueError("width and height of an image are at least 1")
        return self

    def value(self) -> ExportedImage:
        """The image."""
        return ExportedImage(**self.model_dump(exclude={"nbytes"}))


Model = TypeVar("Model", bound=BaseModel)


def parsed(model: type[Model], written: bytes, where: str) -> Model:
    """One document or line.

    Args:
        model: What it should be.
        written: JSON.
        where: In which member, and which line of it.

    Raises:
        InvalidUpload: It is not; says where and why.
    """
    try:
        return model.model_validate_json(written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidUpload(
            f"{where} is not as this version of Handful reads it ({FORMAT}): "
            f"{f'{place}: ' if place else ''}{first['msg'][:300]}. Export the classifier again, "
            "with this version or an older one."
        ) from error
