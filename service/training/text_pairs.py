"""Pairs of an image and a text: where they are. From a table or from webdataset shards."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.training.training_errors import DataError
from service.training.webdataset_shards import find_shards, read_shards

IMAGE_COLUMNS = ("image", "filepath", "path", "file", "filename", "file_name", "image_path")
TEXT_COLUMNS = ("text", "title", "caption", "sentence")
_DELIMITERS = ",\t;|"
_SHOWN = 3
"""Mistakes that a message tells of; it counts the others."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and a text that belong together.

    Attributes:
        path: File that the image is in.
        text: What is said of it.
        offset: Byte at which the image begins in the file.
        size: Its length in bytes; -1: to the end of the file.
        name: Of the image within a shard; empty where the file is the image.
    """

    path: Path
    text: str
    offset: int = 0
    size: int = -1
    name: str = ""

    @property
    def image(self) -> str:
        """How messages name the image, and what tells it from the others."""
        return f"{self.path}:{self.name}" if self.name else str(self.path)

    def read(self) -> bytes:
        """Read the image file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def read_pairs(data: str, images: Path | None = None) -> list[Pair]:
    """List the pairs of a table or of shards; all image files are there.

    Args:
        data: A CSV file (comma, tab, semicolon or bar) whose header names a column of images
            (`IMAGE_COLUMNS`) and one of texts (`TEXT_COLUMNS`), in UTF-8. Or tar files, see
            :func:`service.training.webdataset_shards.read_shards`: one, or several by a pattern
            such as ``shards/{00..15}.tar`` or ``shards/*.tar``.
        images: Folder that the paths of a table are in; the folder of the table by default.

    Raises:
        DataError: There is no such file, or it is not as said; names the file and the row.
    """
    if data.endswith(".tar"):
        if images is not None:
            raise DataError(f"--images goes with a CSV of paths; {data} holds its images itself")
        return [
            Pair(found.shard, found.text, found.offset, found.size, found.name)
            for found in read_shards(find_shards(data))
        ]
    table = Path(data)
    if not table.is_file():
        raise DataError(
            f"there is no file {table}; give a CSV of pairs (image,text) or webdataset shards, "
            "whose names end in .tar"
        )
    root = images or table.parent
    if not root.is_dir():
        raise DataError(f"there is no folder {root} with the images of {table}")
    try:
        return _read_table(table, root)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table} cannot be read as CSV in UTF-8: {error}") from error


def digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the names of the images and of the texts, in order; not of what images show."""
    found = hashlib.sha256()
    for pair in pairs:
        # Without the folder, so that a copy of the data is the same data.
        found.update(f"{pair.path.name}\0{pair.name}\0{pair.text}\0".encode())
    return found.hexdigest()


def _read_table(table: Path, root: Path) -> list[Pair]:
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file, delimiter=_delimiter(file.readline()))
        file.seek(0)
        header = [name.strip().lower() for name in next(rows, [])]
        image = _column(table, header, IMAGE_COLUMNS)
        text = _column(table, header, TEXT_COLUMNS)
        pairs: list[Pair] = []
        wrong: list[str] = []
        for row in rows:
            if not row:
                continue
            place = f"{table}, line {rows.line_num}"
            if len(row) != len(header):
                wrong.append(
                    f"{place} has {len(row)} columns and the header {len(header)}; put quotes "
                    "around what contains the delimiter"
                )
                continue
            pair = Pair(root / row[image].strip(), row[text].strip())
            if not pair.text:
                wrong.append(f"{place} has no text; take the row out")
            elif not pair.path.is_file():
                wrong.append(
                    f"{place}: there is no image {pair.path}; take the row out, or say with "
                    "--images which folder the paths are in"
                )
            pairs.append(pair)
    if wrong:
        more = f" (and {len(wrong) - _SHOWN} more rows)" if len(wrong) > _SHOWN else ""
        raise DataError(". ".join(wrong[:_SHOWN]) + more)
    if not pairs:
        raise DataError(f"{table} has a header and no pairs")
    return pairs


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _column(table: Path, header: Sequence[str], names: Sequence[str]) -> int:
    if found := [header.index(name) for name in names if name in header]:
        return found[0]
    raise DataError(
        f"{table} begins with {', '.join(header) or 'nothing'}; it needs a header with a column "
        f"of images ({', '.join(IMAGE_COLUMNS)}) and one of texts ({', '.join(TEXT_COLUMNS)})"
    )
