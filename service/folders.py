"""Allowed folders: which files of this machine clients may name, and how they are opened.

A path is walked folder by folder from an allowed one, and no link is followed on the way
(openat(2), ``O_NOFOLLOW``): what is read lies below the allowed folder whatever becomes of names
meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not to wait for whoever writes to a pipe.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 32


class Place(NamedTuple):
    """A folder or file below an allowed folder.

    Attributes:
        root: The allowed folder.
        parts: Names on the way, none of them ``..``.
    """

    root: str
    parts: tuple[str, ...]


class TooManyFiles(Exception):
    """There are more files below a folder than are listed."""


def place_of(path: str, allowed: list[str]) -> Place | None:
    """Where a path leads below the allowed folders, by its words alone; None: nowhere."""
    pure = PurePosixPath(path)
    if "\0" in path or not pure.is_absolute() or ".." in pure.parts:
        return None
    for root in allowed:
        if pure.is_relative_to(root):
            return Place(root, pure.relative_to(root).parts)
    return None


def list_below(place: Place, most: int) -> list[str]:
    """Names of all regular files below a folder, relative to it, separated by ``/``, in order.

    Links are left out.

    Raises:
        OSError: It cannot be listed, or is no folder, or a link.
        TooManyFiles: There are more than ``most`` entries.
    """
    found: list[str] = []
    with _opened(place) as folder:
        left = [most]
        _list(folder, "", 0, found, left)
    return found


def read_below(place: Place, name: str, most: int) -> bytes:
    """The first bytes of a file below a folder.

    Args:
        place: The folder.
        name: As :func:`list_below` gives it.
        most: Bytes that are read.

    Raises:
        OSError: It cannot be read, is no regular file, or lies behind a link.
    """
    *folders, last = PurePosixPath(name).parts
    with _opened(Place(place.root, (*place.parts, *folders))) as folder:
        file = os.open(last, _FILE, dir_fd=folder)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError("it is no file")
            return opened.read(most)


@contextmanager
def _opened(place: Place) -> Iterator[int]:
    """A descriptor of a folder."""
    if ".." in place.parts:
        raise OSError("it leads outside")
    # The allowed folder itself may be a link: whoever allows it says what it is.
    folder = os.open(place.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in place.parts:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _list(folder: int, prefix: str, depth: int, found: list[str], left: list[int]) -> None:
    with os.scandir(folder) as entries:
        listing = []
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                raise TooManyFiles
            if entry.is_file(follow_symlinks=False):
                listing.append((False, entry.name))
            elif entry.is_dir(follow_symlinks=False) and depth < _DEEPEST:
                listing.append((True, entry.name))
    listing.sort()
    found.extend(prefix + name for is_folder, name in listing if not is_folder)
    for is_folder, name in listing:
        if is_folder:
            below = os.open(name, _FOLDER, dir_fd=folder)
            try:
                _list(below, f"{prefix}{name}/", depth + 1, found, left)
            finally:
                os.close(below)


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _folder(value: str) -> str:
    path = PurePosixPath(value)
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} is no absolute path of a folder, such as /data/photos")
    return str(path)


#: Folders that are separated by commas where they are written as text.
Folders = Annotated[
    list[Annotated[str, AfterValidator(_folder)]], NoDecode, BeforeValidator(_split)
]
