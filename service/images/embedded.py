"""Images of a registration, embedded: what a support set is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from adapters.embeddings import ImageEmbeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedImage:
    """An uploaded image with all that is worth keeping of it.

    Attributes:
        filename: As the client named it.
        read: Gives its bytes again.
        sha256: Of its bytes.
        media_type: Of the file.
        width: Of the picture, upright.
        height: Of the picture, upright.
        fingerprint: Of the backbone and the recipe that its embeddings come from.
        embeddings: One row, of its support views.
        views: How many these are.
        itself: One row, of the image alone; None where that is not known, or the only view.
    """

    filename: str
    read: Callable[[], bytes]
    sha256: str
    media_type: str
    width: int
    height: int
    fingerprint: str
    embeddings: ImageEmbeddings
    views: int = 1
    itself: ImageEmbeddings | None = None

    @property
    def plain(self) -> ImageEmbeddings | None:
        """One row, of the image as a query; None where that is not known."""
        return self.embeddings if self.views == 1 else self.itself


class SupportImage(NamedTuple):
    """A support image to be added: an image with the label of its class."""

    label: str
    image: EmbeddedImage
