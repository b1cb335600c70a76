"""Images with their classes, from a folder or from a table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.training.errors import DataError
from adapters.training.reservoir import Reservoir
from adapters.training.table import read_table

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})


@dataclass(frozen=True, slots=True)
class Labelled:
    """Image files and the class of each.

    Attributes:
        paths: An image of several classes is in it once for each of them.
        labels: For each path, the number of its class.
        classes: Names, in order.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def digest(self) -> str:
        """SHA-256 of the names of all files and classes; it does not matter where they are."""
        found = hashlib.sha256()
        for path, label in zip(self.paths, self.labels, strict=True):
            found.update(f"{path.name}\0{self.classes[label]}\0".encode())
        return found.hexdigest()

    def require_classes(self, least: int = 2) -> None:
        """Check that there is something to tell apart.

        Raises:
            DataError: There are fewer classes.
        """
        if len(self.classes) < least:
            raise DataError(
                f"the data have {len(self.classes)} class ({', '.join(self.classes)}), and a "
                f"classifier needs {least}; give a folder with one folder a class or a table with "
                "a column of labels, or train without labels: --objective dino"
            )


def read_labelled(
    data: Path, images: Path | None = None, *, per_class: int | None = None, seed: int = 0
) -> Labelled:
    """List the images of a folder or of a table, all of which are there.

    Args:
        data: A folder of folders of images, at any depth: the class of an image is the name of
            the last folder, and folders of the same name are one class. Or a CSV file, see
            :func:`adapters.training.table.read_table`.
        images: Folder that the paths of a table are in; the folder of the table by default.
        per_class: Draw this many images of each class; all of them where there are fewer.
        seed: Decides the draw.

    Raises:
        DataError: There is no such folder or table, it holds no images, or some are missing.
    """
    kept: Reservoir[str] = Reservoir(per_class, seed)
    if data.is_dir():
        if images is not None:
            raise DataError(f"--images goes with a CSV of paths, and {data} is a folder")
        for label, name in _in_folder(data):
            kept.add(label, name)
        locate: Callable[[str], Path] = data.joinpath
    elif data.is_file():
        root = images or data.parent
        if not root.is_dir():
            raise DataError(f"there is no folder {root} with the images of {data}")
        locate = read_table(data, root, kept.add)
    else:
        raise DataError(f"there is neither a folder nor a CSV file {data}")
    return _checked(data, kept, locate)


def _in_folder(data: Path) -> Iterator[tuple[str, str]]:
    for folder, below, names in os.walk(data, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                label = Path(folder).name or Path(folder).resolve().name
                yield label, os.path.relpath(Path(folder, name), data)


def _checked(
    data: Path, kept: Iterable[tuple[str, str]], locate: Callable[[str], Path]
) -> Labelled:
    numbers: dict[str, int] = {}
    paths: list[Path] = []
    missing: list[Path] = []
    labels: list[int] = []
    for label, name in kept:
        path = locate(name)
        (paths if path.is_file() else missing).append(path)
        labels.append(numbers.setdefault(label, len(numbers)))
    if missing:
        raise DataError(
            f"{len(missing)} of {len(labels)} images of {data} are missing, the first is "
            f"{missing[0]}; fetch them, take them out of the table, or say with --images which "
            "folder they are in"
        )
    if not paths:
        raise DataError(
            f"there are no images in {data}; give a folder with CLASS/IMAGE files "
            f"({', '.join(sorted(SUFFIXES))}) or a CSV file with the columns path and label"
        )
    return Labelled(tuple(paths), tuple(labels), tuple(numbers))
