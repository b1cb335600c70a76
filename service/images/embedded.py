"""Images of a registration, embedded: what a support set is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # whoever moves bytes alone needs no PyTorch
    from adapters.embeddings import ImageEmbeddings

EMBEDDING_TYPE = "application/vnd.handful.embedding"
"""Media type of an image of which embeddings alone are known."""


def digest(embeddings: ImageEmbeddings, fingerprint: str) -> str:
    """What identifies an image of which embeddings alone are known, in place of its SHA-256.

    The same embeddings are the same image, and no file is.

    Args:
        embeddings: One row.
        fingerprint: Of what they come from.
    """
    found = hashlib.sha256(f"{EMBEDDING_TYPE}\0{fingerprint}\0".encode())
    for row in (embeddings.frozen, embeddings.corrected):
        found.update(row.numpy().astype("<f4").tobytes())
    return found.hexdigest()


class Placed(NamedTuple):
    """Bytes that are outside the database already.

    Attributes:
        id: The row of their object.
        nbytes: How many they are.
    """

    id: int
    nbytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedImage:
    """An uploaded image with all that is worth keeping of it.

    Attributes:
        filename: As the client named it.
        read: Gives its bytes again; None where they are not known: embeddings alone were given.
        sha256: Of its bytes; where they are not known, of its embeddings (:func:`digest`).
        media_type: Of the file, or ``EMBEDDING_TYPE``.
        width: Of the picture, upright; 0 where it is not known.
        height: Of the picture, upright; 0 where it is not known.
        fingerprint: Of the backbone and the recipe that its embeddings come from.
        embeddings: One row, of its support views.
        views: How many these are.
        itself: One row, of the image alone; None where that is not known, or the only view.
        placed: Where its bytes were put; None: they go to the database, if anywhere.
    """

    filename: str
    read: Callable[[], bytes] | None
    sha256: str
    media_type: str
    width: int
    height: int
    fingerprint: str
    embeddings: ImageEmbeddings
    views: int = 1
    itself: ImageEmbeddings | None = None
    placed: Placed | None = None

    @property
    def plain(self) -> ImageEmbeddings | None:
        """One row, of the image as a query; None where that is not known."""
        return self.embeddings if self.views == 1 else self.itself


class SupportImage(NamedTuple):
    """A support image to be added: an image with the label of its class."""

    label: str
    image: EmbeddedImage
