"""Checksums (CRC-32) of files that are kept: what a disk has changed of them is noticed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

_PIECE = 2**20


class ChecksumError(RuntimeError):
    """A file holds other bytes than were written, or nobody knows what was; the message says so."""


def file_checksum(path: Path) -> int:
    """That of a file; about a gigabyte a second, and a megabyte of memory.

    Raises:
        OSError: It cannot be read.
    """
    found = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found = zlib.crc32(piece, found)
    return found


def write_checksums(to: Path, of: Iterable[Path]) -> None:
    """Write down the checksums of files, by their names.

    Raises:
        OSError: One of them cannot be read, or it cannot be written.
    """
    to.write_text(json.dumps({path.name: file_checksum(path) for path in of}), "utf-8")


def check_files(written: Path, of: Iterable[Path]) -> None:
    """Compare files with what :func:`write_checksums` has written down.

    Raises:
        ChecksumError: One of them holds other bytes, or its checksum is not known.
    """
    try:
        known = json.loads(written.read_text("utf-8"))
        other = [path.name for path in of if known.get(path.name) != file_checksum(path)]
    except (OSError, ValueError, AttributeError) as error:
        raise ChecksumError(f"its checksums cannot be read: {error}") from error
    if other:
        raise ChecksumError(f"{', '.join(other)} is damaged: it has other bytes than were written")
