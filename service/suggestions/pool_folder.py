"""Pool on disk: the images of a folder to choose among."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.droppings import why_skipped
from service.class_folders.on_disk import files_below, tell_skipped
from service.datasets.dataset import DatasetError


@dataclass(frozen=True, slots=True)
class PoolFolder:
    """Images to choose among.

    Attributes:
        folder: Where they lie.
        names: Their paths in it, in order.
        labels: Of each; None where they do not lie in folders of classes.
    """

    folder: Path
    names: list[str]
    labels: list[str] | None

    @classmethod
    def read(cls, folder: Path, *, folders: bool) -> Self:
        """List the images below a folder.

        Args:
            folder: The folder.
            folders: Whether folders in it are classes.

        Raises:
            DatasetError: There is no such folder, there are no images in it, or it cannot be told
                of which class they are.
        """
        if not folder.is_dir():
            raise DatasetError(f"there is no folder {folder} with images to choose among")
        names = list(files_below(folder))
        labelled = None
        if folders and any("/" in name for name in names):
            labelled = _labelled(folder, names)
        if labelled is None:
            names = [name for name in names if not why_skipped(name.split("/"))]
            labels = None
        else:
            names, labels = labelled
        if not names:
            raise DatasetError(f"there are no images in {folder}")
        return cls(folder, names, labels)

    @property
    def paths(self) -> list[Path]:
        """Where the images are."""
        return [self.folder / name for name in self.names]


def _labelled(folder: Path, names: list[str]) -> tuple[list[str], list[str]] | None:
    """Images with their labels; None where none of the images lies in a folder."""
    try:
        found = read_class_folders(names, backslashes=False)
    except ClassFolderError as error:
        if error.is_flat:
            return None
        raise DatasetError(
            f"{folder}: {error} If folders are no classes here, say so with --no-folders."
        ) from error
    tell_skipped(folder, found)
    taken = [
        (name, label) for name, label in zip(names, found.labels, strict=True) if label is not None
    ]
    return [name for name, _ in taken], [label for _, label in taken]
