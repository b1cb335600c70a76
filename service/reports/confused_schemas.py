"""The JSON of a cell of the confusion matrix."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from service.reports.image_schemas import NamedImage


class ConfusedOut(BaseModel):
    """The images that a cell of the confusion matrix counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "label": "forest",
                    "named": "river",
                    "of": 1,
                    "images": [
                        {
                            "image_id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "filename": "tile_0231.png",
                            "media_type": "image/png",
                            "url": "/v1/classifiers/land-cover/classes/forest/images/"
                            "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "named": "river",
                            "probability": 0.61,
                            "own_probability": 0.32,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    classifier: str
    label: str = Field(description="The class that they are registered in.")
    named: str = Field(description="The class that the other images name.")
    of: int = Field(description="How many there are, as the confusion matrix says.")
    images: list[NamedImage] = Field(description="The most probable first.")
    next_cursor: str | None = Field(description="`cursor` of the next page; null: the last.")
