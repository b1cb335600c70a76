"""Support images as reports name them, in JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LookedUpImage(BaseModel):
    """A support image and where to get it."""

    image_id: str
    label: str = Field(description="The class that it is registered in.")
    filename: str
    media_type: str
    url: str = Field(description="Path of the image; `image-not-stored` where images are not kept.")


class SimilarImage(LookedUpImage):
    """Another support image that resembles it."""

    similarity: float = Field(description="Cosine of the corrected embeddings, at most 1.")
