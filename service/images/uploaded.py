"""Uploaded images: files of a request, read lazily."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One file of a request.

    Attributes:
        filename: As the client named it; for messages and reports only.
        read: Gives its bytes, each time from where they are: the body of the request, or an
            archive in it. May raise a problem of this file; takes as long as unpacking does.
        place: Where it stands in a JSON document, such as ``images[3].data``; empty elsewhere.
    """

    filename: str
    read: Callable[[], bytes]
    place: str = ""

    @classmethod
    def of(cls, filename: str, content: bytes) -> Self:
        """A file whose bytes are in memory."""
        return cls(filename, lambda: content)

    @property
    def called(self) -> str:
        """What messages call it."""
        if self.place:
            return f"{self.place} ({self.filename!r})" if self.filename else self.place
        return f"The image {self.filename!r}" if self.filename else "The image"
