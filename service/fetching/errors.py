"""Why an image cannot be fetched."""

from __future__ import annotations


class FetchError(Exception):
    """An image cannot be fetched; the message is a phrase that follows what is called so.

    Args:
        message: The phrase.
        status: Of the answer, where there is one and it is not 200.
        location: Where a redirect points to, as it is written.
    """

    def __init__(
        self, message: str, *, status: int | None = None, location: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.location = location
