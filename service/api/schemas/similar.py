"""The JSON of similar support images."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier
from service.api.schemas.embeddings import Templates, Text
from service.api.schemas.images import PIXEL, AnyImage, Strict


class SimilarToImage(Strict):
    """The one image that support images are compared with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": [{"data": PIXEL}]}]})

    images: list[AnyImage] = Field(min_length=1, max_length=1)


class SimilarToText(Strict):
    """The text that support images are compared with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "a river", "templates": ["a satellite photo of {}."]}]
        }
    )

    text: Text
    templates: Templates = Field(default_factory=list)


class SimilarImageOut(BaseModel):
    """A support image, or an explicit negative (`not-these`), that resembles the query."""

    model_config = ConfigDict(from_attributes=True)

    image_id: ImageIdentifier
    label: ClassLabel
    filename: str
    similarity: float = Field(
        ge=-1.001, le=1.001, description="Cosine similarity, rounded to a millionth."
    )


class SimilarOut(BaseModel):
    """Support images, the most similar first; of equally similar ones by their ids."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "compared_by": "corrected",
                    "total": 32,
                    "next_cursor": "811204.0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                    "images": [
                        {
                            "image_id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "filename": "a.jpg",
                            "similarity": 0.811204,
                        }
                    ],
                }
            ]
        }
    )

    classifier: ClassifierName
    compared_by: Literal["corrected", "frozen"] = Field(
        description="The embedding by which they are compared: `corrected` with an image, `frozen`"
        " with a text."
    )
    total: int = Field(description="Support images in all.")
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    images: list[SimilarImageOut]
