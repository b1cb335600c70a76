"""The split of a data set: images for training, validation and test, with their classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SPLITS = ("train", "val", "test")


class LayoutError(RuntimeError):
    """A data set is not laid out as it should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image file, or a folder with all images of a class.

    Attributes:
        path: Where it is.
        label: Number of its class, which decides the order of classes.
        name: Class name, as it is written into the template.
    """

    path: Path
    label: int
    name: str


Split = dict[str, list[Item]]
"""Items by the name of a split."""


def below(folder: Path, path: str, source: Path) -> Path:
    """A file that a split names, which must lie below the folder of the images.

    Args:
        folder: Of the images.
        path: As the split has it, separated by ``/``.
        source: Where it was read, for the message.

    Raises:
        LayoutError: The path leads elsewhere, or is none.
    """
    parts = PurePosixPath(path)
    if (
        parts.is_absolute()
        or not parts.parts
        or ".." in parts.parts
        or any(c in path for c in "\\\0")
    ):
        raise LayoutError(
            f"{source} names {path!r}, which is not below {folder}; get the file anew from where "
            "docs/reproduce.md says"
        )
    return folder / parts


def check_there(files: Iterable[Path], folder: Path) -> None:
    """See that files are there, before anything is made of them.

    Raises:
        LayoutError: Some are not; the message counts them and names the first.
    """
    wanted = list(files)
    missing = [file for file in wanted if not file.is_file()]
    if missing:
        raise LayoutError(
            f"{len(missing)} of {len(wanted)} images are not there, the first of them "
            f"{missing[0]}; see that {folder} holds all images of the archive"
        )


def lines_of(path: Path) -> list[str]:
    """Lines of a text file, without those that are empty.

    Raises:
        LayoutError: It is missing or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise LayoutError(f"{path} cannot be read ({why}); get it as the page says") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
