"""Images of a request: by their bytes, by embeddings, by the id of a stored one, by URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from adapters.embeddings import ImageEmbeddings
from service.api.json_documents import LongString, Path, refusal
from service.api.json_images.embedding_rows import RowError, embedding_row
from service.images.uploaded import UploadedImage


@dataclass(frozen=True, slots=True)
class GivenEmbedding:
    """An image of which embeddings alone are given, as they were written.

    Attributes:
        filename: As the client named it.
        place: Where it stands: ``images[3]``.
        fingerprint: Of what they come from, as the client says.
        frozen: Numbers, or base64 of them.
        corrected: The same.
    """

    filename: str
    place: Path
    fingerprint: str
    frozen: Sequence[float] | str | LongString
    corrected: Sequence[float] | str | LongString

    def embeddings(self, width: int, corrected_width: int) -> ImageEmbeddings:
        """One row of them.

        Raises:
            InvalidRequest: They are no unit vectors of these widths.
        """
        rows, faults = [], []
        for name, of_width in (("frozen", width), ("corrected", corrected_width)):
            try:
                rows.append(embedding_row(getattr(self, name), of_width))
            except RowError as error:
                faults.append(((*self.place, "embedding", name), str(error)))
        if faults:
            raise refusal(faults)
        return ImageEmbeddings(*(torch.from_numpy(row).unsqueeze(0) for row in rows))


@dataclass(frozen=True, slots=True)
class Reference:
    """A support image, by its id.

    Attributes:
        image_id: The id.
        place: Where it stands.
        classifier: Whose image it is, by its bare name; None: of the classifier that is asked.
    """

    image_id: str
    place: Path
    classifier: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """An image to be fetched.

    Attributes:
        url: From where.
        filename: As the client named it.
        place: Where it stands.
    """

    url: str
    filename: str
    place: Path


Item = UploadedImage | GivenEmbedding | Reference | Remote
"""An image of a request; Remote ones are fetched before anything else is done with them."""
