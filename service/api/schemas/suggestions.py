"""The JSON of suggestions: which images of a pool to register next."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, ClassLabel
from service.api.schemas.predictions import EvidenceOut
from service.api.schemas.support_set import SkippedFile

_POSITION = Field(
    description="Of the image in the upload, from 0; files that are skipped do not count."
)


class PredictedLabelOut(BaseModel):
    """What an image is taken for now."""

    label: ClassLabel
    probability: float
    known: bool = Field(description="Whether the image looks like any of the classes.")


class SuggestionOut(BaseModel):
    """An image that is worth a label, and why."""

    filename: str
    position: int = _POSITION
    label: ClassLabel | None = Field(
        description="The class that its folder names; null where folders tell none."
    )
    gain: float = Field(
        description="By how much the image raises coverage: of the pool, or of its class where"
        " `labelled`."
    )
    coverage: float = Field(
        description="Coverage with it and those before it, between 0 and 1: how alike the images"
        " of the pool (of its class) are to the nearest one that is registered, on average."
    )
    predicted: PredictedLabelOut | None = Field(
        description="The class it is most probably of; null where there are no classes to choose"
        " from."
    )
    nearest: EvidenceOut | None = Field(
        description="The support image nearest to it, of any class; null where there are none."
    )


class DuplicateOut(EvidenceOut):
    """An image of the pool that is registered, or a copy of an image that is."""

    model_config = ConfigDict(from_attributes=True)

    filename: str
    position: int = _POSITION


class SuggestionsOut(BaseModel):
    """Which images of a pool to register next, best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "labelled": False,
                    "n_images": 240,
                    "duplicates": [
                        {
                            "image_id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "similarity": 1.0,
                            "filename": "tile-007.jpg",
                            "position": 7,
                        }
                    ],
                    "skipped": [{"file": ".DS_Store", "reason": "was added by macOS"}],
                    "suggestions": [
                        {
                            "filename": "tile-112.jpg",
                            "position": 112,
                            "label": None,
                            "gain": 0.071,
                            "coverage": 0.482,
                            "predicted": {"label": "river", "probability": 0.41, "known": False},
                            "nearest": {
                                "image_id": "5d0c8a1f9b7e4c3d8a6b5f4e3d2c1b0a",
                                "label": "sea lake",
                                "similarity": 0.58,
                            },
                        }
                    ],
                }
            ]
        }
    )

    classifier: ClassifierName
    labelled: bool = Field(
        description="Whether folders told the classes: then the images of each class are chosen"
        " for that class, `n` of each, the first of every class before the second of any."
    )
    n_images: int = Field(description="How many images the pool has, without skipped files.")
    duplicates: list[DuplicateOut] = Field(
        description="Images that are copies of support images, whatever their class: of the same"
        " bytes, size or not. They are not suggested."
    )
    skipped: list[SkippedFile] = Field(description="Files that are no images by their names.")
    suggestions: list[SuggestionOut] = Field(
        description="At most `n`, or `n` of each class; fewer where others are copies of these."
    )
