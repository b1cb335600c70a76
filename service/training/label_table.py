"""Tables of images and labels: our own, and the image-level labels of Open Images."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapters.training.training_errors import DataError

_PATH_COLUMNS = ("path", "file", "filename", "filepath", "image")
_LABEL_COLUMNS = ("label", "class", "category")
_PREFIXES = (0, 2, 3, 1)
"""Lengths of the folder names that Open Images' files are sorted into; 0: into none."""


def read_table(path: Path, root: Path, add: Callable[[str, str], None]) -> Callable[[str], Path]:
    """Read a CSV file row by row.

    Two layouts are known by their header. ``path,label`` has a path relative to `root` and the
    name of a class, which may be left out. Open Images' files of image-level labels, V4 to V7
    (``ImageID,Source,LabelName,Confidence``), have a row for each label that somebody verified:
    confidence 1 if it is true, 0 if it is not. Its images are ``root/ImageID.jpg``, or sorted
    into folders that are named by the first characters.

    Args:
        path: Of the CSV file, UTF-8.
        root: Folder with the images.
        add: Called with the label and the name of each image that has it.

    Returns:
        What turns a name into the path of the image.

    Raises:
        DataError: The header is another one, or a row is not as long as it.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            if {"imageid", "labelname", "confidence"} <= set(header):
                _read_open_images(header, _whole(path, rows, header), add)
                return _OpenImagesFiles(root)
            _read_paths(path, header, _whole(path, rows, header), add)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read as CSV in UTF-8: {error}") from error
    return root.joinpath


def _whole(path: Path, rows: Iterator[list[str]], header: Sequence[str]) -> Iterator[list[str]]:
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(
                f"row {number} of {path} has {len(row)} columns, and the header {len(header)}; "
                "put quotes around what contains a comma"
            )
        yield row


def _read_open_images(
    header: Sequence[str], rows: Iterator[list[str]], add: Callable[[str, str], None]
) -> None:
    image, label, confidence = (
        header.index(name) for name in ("imageid", "labelname", "confidence")
    )
    for row in rows:
        if row[confidence] in {"1", "1.0"}:
            add(row[label], row[image])


def _read_paths(
    path: Path, header: Sequence[str], rows: Iterator[list[str]], add: Callable[[str, str], None]
) -> None:
    image = next((header.index(name) for name in _PATH_COLUMNS if name in header), None)
    label = next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)
    if image is None:
        raise DataError(
            f"{path} begins with the columns {', '.join(header) or 'none'}; it needs a header with "
            "path and label, or with Open Images' ImageID, LabelName and Confidence"
        )
    for row in rows:
        add("unlabelled" if label is None else row[label], row[image])


class _OpenImagesFiles:
    """Where the image of an ID is."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prefixes = list(_PREFIXES)

    def __call__(self, name: str) -> Path:
        for length in self._prefixes:
            path = self._root / name[:length] / f"{name}.jpg"
            if path.is_file():
                # The others will be there as well.
                self._prefixes.sort(key=lambda other: other != length)
                return path
        return self._root / f"{name}.jpg"
