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
        embeddings: One row.
    """

    filename: str
    read: Callable[[], bytes]
    sha256: str
    media_type: str
    width: int
    height: int
    embeddings: ImageEmbeddings


class SupportImage(NamedTuple):
    """A support image to be added: an image with the label of its class."""

    label: str
    image: EmbeddedImage
