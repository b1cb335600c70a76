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


class Suspect(LookedUpImage):
    """An image that all others together would have put into another class."""

    named: str = Field(description="The class that the other images name.")
    probability: float = Field(description="Probability of that class.")
    own_probability: float = Field(description="Probability of the class that it is in.")
    nearest: SimilarImage | None = Field(
        description="The image of the named class that it resembles most; null: known by name."
    )
