"""The JSON of a map of embeddings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MapPoint(BaseModel):
    """A support image, or an explicit negative (`not-these`), as a point."""

    image_id: str
    label: str
    frozen: tuple[float, float] = Field(description="Where it is by the frozen embedding.")
    corrected: tuple[float, float] = Field(description="Where it is by the corrected embedding.")


class Explained(BaseModel):
    """Share of the variance that each axis shows; 0 where all images are the same."""

    frozen: tuple[float, float]
    corrected: tuple[float, float]


class MapOut(BaseModel):
    """Both embeddings of the images as points of a plane, by their principal components.

    The corrected points are turned or mirrored to be near the frozen ones, and both have one scale:
    the point that is furthest from the centre, (0, 0), is at the distance 1.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "method": "pca",
                    "revision": 12,
                    "of": 1,
                    "is_corrected": True,
                    "explained": {"frozen": [0.31, 0.12], "corrected": [0.44, 0.2]},
                    "points": [
                        {
                            "image_id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                            "label": "forest",
                            "frozen": [0.21345, -0.4],
                            "corrected": [0.61, -0.52],
                        }
                    ],
                }
            ]
        }
    )

    classifier: str
    method: Literal["pca"] = Field(description="How they are projected.")
    revision: int = Field(description="Content revision that the map is of.")
    of: int = Field(description="Images in all; of more than 20000 a sample of each class is here.")
    is_corrected: bool = Field(description="Whether there are two embeddings, or one twice.")
    explained: Explained
    points: list[MapPoint]
