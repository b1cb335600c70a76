"""Files of an upload or a folder, each with what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Files that one message names; the others are counted.
_NAMED = 20
# Files that one problem document lists.
_LISTED = 1000
# Characters of a file name in a message.
_LONGEST = 200


class FileReason(NamedTuple):
    """A file and why it was skipped or refused.

    Attributes:
        file: Its name, as its sender sees it.
        reason: A phrase without a subject: ``has no folder to take the label from``.
    """

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file[:_LONGEST]!r} {self.reason}"


def listed(reasons: Sequence[FileReason]) -> str:
    """The files in one sentence: some tens by name, the others by their number."""
    named = "; ".join(map(str, reasons[:_NAMED]))
    more = len(reasons) - _NAMED
    return named if more <= 0 else f"{named}; and {more} more"


def members(reasons: Sequence[FileReason]) -> list[dict[str, str]]:
    """The extension member ``files`` of a problem document: the first thousand."""
    return [{"file": file[:1024], "reason": reason} for file, reason in reasons[:_LISTED]]
