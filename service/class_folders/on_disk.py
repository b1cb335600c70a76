"""The images of a folder on disk, by the rules of all class folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.class_folders.droppings import is_image_name
from service.class_folders.reader import ClassFolderError, ClassFolders, read_class_folders
from service.file_reasons import FileReason, listed
from service.images.formats import sniff_format

logger = logging.getLogger("handful")

# Bytes at the beginning of a file that tell its kind.
_HEAD = 1024


class LabelledFile(NamedTuple):
    """An image file and its class."""

    label: str
    path: Path


def read_folder(folder: Path) -> list[LabelledFile]:
    """List the images below a folder with their classes, in the order of their paths.

    What is skipped is logged. Links are followed. Files whose names do not tell are opened.

    Raises:
        ClassFolderError: The classes cannot be told, or files are no images; it names all of
            them. OSError where a folder cannot be listed.
    """
    names = list(files_below(folder))
    found = read_class_folders(names, backslashes=False)
    tell_skipped(folder, found)
    labelled = [
        LabelledFile(label, folder / name)
        for label, name in zip(found.labels, names, strict=True)
        if label is not None
    ]
    if unknown := [
        FileReason(os.path.relpath(file.path, folder), "is no image")
        for file in labelled
        if not is_image_name(file.path.name) and not _is_image(file.path)
    ]:
        raise ClassFolderError(f"{listed(unknown)}. Take them out of the folder.", unknown)
    return labelled


def tell_skipped(folder: Path, found: ClassFolders) -> None:
    """Log which files are no images of a class."""
    if found.skipped:
        logger.warning(
            "%s: %d files are skipped: %s", folder, len(found.skipped), listed(found.skipped)
        )


def files_below(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, relative to it and separated by ``/``, in order."""
    return _below(folder, "", frozenset())


def _below(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    found = os.stat(folder)
    place = (found.st_dev, found.st_ino)
    if place in above:  # a link to a folder that it is in
        return
    with os.scandir(folder) as entries:
        listing = sorted((entry.name, entry.is_dir()) for entry in entries)
    for name, is_dir in listing:
        if not is_dir:
            yield prefix + name
    for name, is_dir in listing:
        if is_dir:
            yield from _below(folder / name, f"{prefix}{name}/", above | {place})


def _is_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return sniff_format(file.read(_HEAD)) is not None
    except OSError:
        return False
