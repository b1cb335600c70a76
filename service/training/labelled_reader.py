"""Images with their classes, from a folder or from a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from adapters.training.training_errors import DataError
from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.droppings import why_skipped
from service.class_folders.on_disk import files_below, tell_skipped
from service.training.label_table import read_table
from service.training.reservoir import Reservoir
from service.training.training_images import TrainingImages


def read_labelled(
    data: Path,
    images: Path | None = None,
    *,
    per_class: int | None = None,
    seed: int = 0,
    labels_needed: bool = True,
) -> TrainingImages:
    """List the images of a folder or of a table, all of which are there.

    Args:
        data: A folder of folders of images, read as
            :func:`service.class_folders.read_class_folders` says; a flat one is one class. Or a
            CSV file, see :func:`service.training.label_table.read_table`.
        images: Folder that the paths of a table are in; the folder of the table by default.
        per_class: Draw this many images of each class; all of them where there are fewer.
        seed: Decides the draw.
        labels_needed: Whether it matters which image is of which class. Where it does not, and
            folders do not tell, the last folder of each image is taken for its class.

    Raises:
        DataError: There is no such folder or table, it holds no images, or some are missing; or
            folders do not tell the classes.
    """
    kept: Reservoir[str] = Reservoir(per_class, seed)
    if data.is_dir():
        if images is not None:
            raise DataError(f"--images goes with a CSV of paths, and {data} is a folder")
        for label, name in _in_folder(data, labels_needed=labels_needed):
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


def _in_folder(data: Path, *, labels_needed: bool) -> list[tuple[str, str]]:
    names = list(files_below(data))
    # A folder without folders is one class, of its own name.
    flat = not any("/" in name for name in names)
    prefix = f"{data.resolve().name}/" if flat else ""
    try:
        found = read_class_folders([prefix + name for name in names], backslashes=False)
    except ClassFolderError as error:
        if labels_needed or not error.is_about_labels:
            raise DataError(f"{data}: {error}") from error
        return [
            (Path(data.resolve(), name).parent.name, name)
            for name in names
            if why_skipped(name.split("/")) is None
        ]
    tell_skipped(data, found)
    return [
        (label, name) for label, name in zip(found.labels, names, strict=True) if label is not None
    ]


def _checked(
    data: Path, kept: Iterable[tuple[str, str]], locate: Callable[[str], Path]
) -> TrainingImages:
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
            f"there are no images in {data}; give a folder with CLASS/IMAGE files or a CSV file "
            "with the columns path and label"
        )
    return TrainingImages(tuple(paths), tuple(labels), tuple(numbers), data.resolve().name)
