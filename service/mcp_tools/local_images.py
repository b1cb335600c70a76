"""Images on the disk that an agent may name: those in chosen folders, and nothing else there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp.server.mcpserver.exceptions import ToolError

from service.images.formats import ACCEPTED, IMAGE_SUFFIXES, sniff_format

MOST_BYTES = 32 * 2**20
"""Of a file, as of an image that the service takes by default."""
# As many as tell what a file is.
_HEAD_BYTES = 512


class LocalImages:
    """Images below some folders, links followed only where they stay below.

    Of other files nothing is told but that they are not read, so that no agent, whoever has written
    what it goes by, finds out what there is or sends it anywhere.

    Args:
        folders: They must be there.

    Raises:
        FileNotFoundError: One is not.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [folder.resolve(strict=True) for folder in folders]

    def named(self, path: str) -> list[Path]:
        """The image of that path, or the images right in the folder of that path, by name.

        Args:
            path: Absolute, or relative to one of the folders.

        Raises:
            ToolError: There is none below the folders.
        """
        found = next(filter(None, (self._below(folder / path) for folder in self._folders)), None)
        if found is None:
            below = ", ".join(map(str, self._folders))
            raise ToolError(
                f"{path!r} is nothing in the folders that images are read from: {below}."
            )
        if not found.is_dir():
            return [found]
        inside = (one for one in sorted(found.iterdir()) if _is_named_as_image(one))
        images = [one for one in inside if self._below(one) is not None and one.is_file()]
        if not images:
            raise ToolError(f"There is no image right in the folder {path!r}.")
        return images

    def read(self, path: Path) -> bytes:
        """The bytes of an image.

        Raises:
            ToolError: It is none, is too large or cannot be read; nothing of it is told.
        """
        try:
            if not path.is_file() or not _is_named_as_image(path):
                raise _refused(path)
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
                if sniff_format(head) is None:
                    raise _refused(path)
                content = head + file.read(MOST_BYTES + 1 - len(head))
        except OSError as error:
            raise ToolError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
        if len(content) > MOST_BYTES:
            raise ToolError(f"{str(path)!r} has more than {MOST_BYTES} bytes. Send it smaller.")
        return content

    def _below(self, path: Path) -> Path | None:
        """Where a path leads, if that is there and below the folders."""
        try:
            found = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # not there, links in a circle, no path
            return None
        return found if any(found.is_relative_to(one) for one in self._folders) else None


def _is_named_as_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _refused(path: Path) -> ToolError:
    return ToolError(f"{str(path)!r} is no image file, and nothing else is read: {ACCEPTED}.")
