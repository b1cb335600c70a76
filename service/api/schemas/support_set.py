"""The JSON of a support set: classes, their images, what became of an upload."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier, Sha256
from service.api.schemas.predictions import RankedLabelOut, is_none


class ClassSummary(BaseModel):
    """A class and how many support images it has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "forest", "n_images": 16}]})

    label: ClassLabel
    n_images: int


class ClassList(BaseModel):
    """The classes of a classifier, in the order of their registration."""

    classifier: ClassifierName
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    classes: list[ClassSummary]


class ImageOut(BaseModel):
    """A support image."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                    "label": "forest",
                    "filename": "a.jpg",
                    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "media_type": "image/jpeg",
                    "width": 64,
                    "height": 64,
                    "created_at": "2026-01-01T12:00:05Z",
                }
            ]
        },
    )

    id: ImageIdentifier = Field(validation_alias=AliasPath("record", "public_id"))
    label: ClassLabel
    filename: str = Field(validation_alias=AliasPath("record", "filename"))
    sha256: Sha256 = Field(validation_alias=AliasPath("record", "sha256"))
    media_type: str = Field(validation_alias=AliasPath("record", "media_type"))
    width: int = Field(validation_alias=AliasPath("record", "width"))
    height: int = Field(validation_alias=AliasPath("record", "height"))
    created_at: datetime = Field(validation_alias=AliasPath("record", "created_at"))


class ClassOut(ClassSummary):
    """A class with its support images: all, or a page of them; `n_images` counts all."""

    model_config = ConfigDict(json_schema_extra={"examples": []})

    classifier: ClassifierName
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    images: list[ImageOut]


class TakenFor(BaseModel):
    """What a registered image is taken for, as a query would be."""

    model_config = ConfigDict(from_attributes=True)

    label: ClassLabel = Field(validation_alias=AliasPath("top_k", 0, "label"))
    probability: float = Field(validation_alias=AliasPath("top_k", 0, "probability"))
    labels: list[ClassLabel] | None = Field(
        default=None, exclude_if=is_none, description="As of a prediction, with `multi_label`."
    )
    known: bool = Field(description="Whether the image looks like any of the classes.")
    p_value: float | None = Field(ge=0, le=1, description="How familiar it looks, as for a query.")
    top_k: list[RankedLabelOut] = Field(description="The three most probable classes at most.")


class RegisteredImage(BaseModel):
    """What became of an uploaded image."""

    model_config = ConfigDict(from_attributes=True)

    id: ImageIdentifier = Field(
        validation_alias=AliasPath("record", "public_id"),
        description="The image's id; that of the first copy if it is a duplicate.",
    )
    label: ClassLabel
    filename: str
    status: Literal["created", "duplicate"]
    before: TakenFor | None = Field(
        description="What the image was taken for before this change; null where that was not"
        " asked (`predict`), or there was no class to choose from."
    )
    after: TakenFor | None = Field(
        description="What it is taken for after this change, by all images of the request;"
        " null where that was not asked."
    )


class SkippedFile(BaseModel):
    """A file of an upload that is no image of a class."""

    model_config = ConfigDict(from_attributes=True)

    file: str = Field(description="Its name, as it was sent.")
    reason: str = Field(description="Why it was skipped.")


class RegistrationOut(BaseModel):
    """What became of the images of an upload, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "created": 1,
                    "duplicates": 1,
                    "images": [
                        {
                            "id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "filename": "a.jpg",
                            "status": "created",
                            "before": {
                                "label": "sea lake",
                                "probability": 0.61,
                                "known": True,
                                "p_value": 0.08,
                                "top_k": [
                                    {
                                        "label": "sea lake",
                                        "probability": 0.61,
                                        "zero_shot": 17.9,
                                        "cache": 1.8,
                                    }
                                ],
                            },
                            "after": {
                                "label": "forest",
                                "probability": 0.98,
                                "known": True,
                                "p_value": 0.57,
                                "top_k": [
                                    {
                                        "label": "forest",
                                        "probability": 0.98,
                                        "zero_shot": 17.1,
                                        "cache": 5.2,
                                    }
                                ],
                            },
                        },
                        {
                            "id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "filename": "copy-of-a.jpg",
                            "status": "duplicate",
                            "before": None,
                            "after": None,
                        },
                    ],
                    "skipped": [{"file": "forest/.DS_Store", "reason": "was added by macOS"}],
                }
            ]
        }
    )

    classifier: ClassifierName
    created: int
    duplicates: int
    images: list[RegisteredImage]
    skipped: list[SkippedFile] = Field(
        description="Files that are no images by their names: what operating systems, network"
        " storage and tools leave in folders, notes and tables."
    )
