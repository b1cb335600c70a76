"""Folders as zips, for what takes one file."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from handful_client.errors import InvalidImage
from handful_client.images import files_of


def archive_of(images: str | os.PathLike[str], place: Path) -> Path:
    """The zip at a path; of a folder, one that is made in another place, file by file.

    Raises:
        InvalidImage: There is nothing at the path, or no file in the folder.
    """
    path = Path(images)
    if not path.exists():
        raise InvalidImage(f"there is neither a zip nor a folder {str(path)!r}")
    if not path.is_dir():
        return path
    made = place / "images.zip"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for file in files_of(path):
            archive.write(file, file.relative_to(path).as_posix())
    return made
