"""Support images as reports name them, in JSON."""

from __future__ import annotations

from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, Field

from service.storage.records import SupportRecord


class LookedUpImage(BaseModel):
    """A support image and where to get it."""

    image_id: str
    label: str = Field(description="The class that it is registered in.")
    filename: str
    media_type: str
    url: str = Field(description="Path of the image; `image-not-stored` where images are not kept.")

    @classmethod
    def of(cls, record: SupportRecord, label: str, classifier: str, root_path: str) -> Self:
        """A support image of a class, with its address under the path of a proxy."""
        return cls(
            image_id=record.public_id,
            label=label,
            filename=record.filename,
            media_type=record.media_type,
            url=f"{root_path}/v1/classifiers/{classifier}/classes/"
            f"{quote(label, safe='')}/images/{record.public_id}",
        )


class SimilarImage(LookedUpImage):
    """Another support image that resembles it."""

    similarity: float = Field(description="Cosine of the corrected embeddings, at most 1.")


class NamedImage(LookedUpImage):
    """A support image with the class that the others name."""

    named: str = Field(description="The class that the other images name.")
    probability: float = Field(description="Probability of that class.")
    own_probability: float = Field(description="Probability of the class that it is in.")


class Suspect(NamedImage):
    """An image that all others together would have put into another class."""

    nearest: SimilarImage | None = Field(
        description="The image of the named class that it resembles most; null: known by name."
    )
