"""The JSON of copies, renames, merges, moves, and of notes and metadata."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, field_validator

from service.api.openapi.schema_types import (
    ClassifierName,
    ClassLabel,
    ImageIdentifier,
)

MOST_IMAGES = 10_000
"""Images that one request names at most."""


_LONGEST_KEY = 64
# What UTF-8 and PostgreSQL can hold.
_IS_TEXT = re.compile(r"[^\x00\ud800-\udfff]*")


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ToClassifier(_Sent):
    """The name that a classifier is to have."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"to": "land-cover-2"}]}
    )

    to: ClassifierName


class FromClassifier(_Sent):
    """The classifier that classes and images are taken over of."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"from": "land-cover"}]}
    )

    other: ClassifierName = Field(alias="from")


class ToLabel(_Sent):
    """The label that a class is to have."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"to": "woodland"}]}
    )

    to: ClassLabel


class FromLabels(_Sent):
    """The classes whose images are moved, and which are deleted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"from": ["sea lake"]}]}
    )

    others: Annotated[list[ClassLabel], FailFast()] = Field(
        alias="from", min_length=1, max_length=1000
    )


_IDS: Any = ["0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1"]


class ImagesToDelete(_Sent):
    """Support images of any classes, by their ids."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"images": _IDS}]}
    )

    images: Annotated[list[ImageIdentifier], FailFast()] = Field(
        min_length=1, max_length=MOST_IMAGES
    )


class ImagesToMove(ImagesToDelete):
    """Support images, and the class that they are to be of."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"images": _IDS, "to": "forest"}]},
    )

    to: ClassLabel


class MovedOut(BaseModel):
    """What became of images that were moved or taken over."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_extra={"examples": [{"added": 12, "duplicates": 1}]}
    )

    added: int = Field(description="Images that their class has now and had not.")
    duplicates: int = Field(description="Images that it had already, byte for byte.")


class DeletedOut(BaseModel):
    """How many images were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 3}]})

    deleted: int


class Annotations(BaseModel):
    """Notes and metadata of a classifier, a class or an image; nothing is made of them."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"notes": "From the flight of May.", "metadata": {"team": "maps"}}]
        },
    )

    notes: str = Field(
        default="", max_length=4000, pattern=r"^[^\x00]*$", description="For people."
    )
    metadata: dict[str, Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]] = Field(
        default_factory=dict,
        max_length=32,
        description="Strings by keys of 64 characters at most. Lists can ask for keys of letters,"
        " digits, `.`, `_` and `-`.",
    )

    @field_validator("metadata")
    @classmethod
    def _short_keys(cls, sent: dict[str, str]) -> dict[str, str]:
        if any(len(key) > _LONGEST_KEY for key in sent):
            raise ValueError(f"a key has {_LONGEST_KEY} characters at most")
        if any(not _IS_TEXT.fullmatch(key) for key in sent):
            raise ValueError("a key holds U+0000, or half of a character (a lone surrogate)")
        return sent

    def stored(self) -> dict[str, Any] | None:
        """As it is stored; None where there is nothing."""
        return self.model_dump() if self.notes or self.metadata else None
