"""``handful backup`` and ``handful restore``: a database into a file, out of it, and verified."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from adapters.whole_files import written_whole
from service.moving.backup_documents import Header
from service.moving.backup_file import Backup, write_backup
from service.moving.copying import Copied, copy_tables
from service.moving.digests import RunningDigest
from service.moving.errors import MovingError
from service.moving.new_database import new_database
from service.moving.snapshot import snapshot

_BUFFER = 2**20


@dataclass(frozen=True, slots=True)
class Restored:
    """What a backup holds.

    Attributes:
        header: How, when and of what it was made.
        copied: Its tables, every one of them verified.
    """

    header: Header
    copied: Copied


def back_up(url: str, to: Path, seconds: float, *, images: bool = True) -> tuple[Path, Copied]:
    """Write a snapshot of a database, which may be served meanwhile, as one file.

    Args:
        url: Of the database.
        to: The file, which is replaced whole or left as it is; or a folder, in which it gets a
            name with the time.
        seconds: Longest wait for a lock or a connection.
        images: Whether bytes of images outside the database go along, or only where they are.

    Returns:
        The file, which only its owner can read, and what is in it.

    Raises:
        MovingError: The database cannot be read, or the file not be written; why.
    """
    file = to / f"handful-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar" if to.is_dir() else to
    with (
        _told_of_files(file),
        snapshot(url, seconds, holds_bytes=images) as state,
        written_whole(file) as part,
        open(part, "wb", _BUFFER, opener=_private) as opened,
    ):
        digests = write_backup(state, opened)
        opened.flush()
        os.fsync(opened.fileno())
    with _told_of_files(file):
        _sync_folder(file.parent)
    return file, Copied(digests)


def back_up_to_stream(url: str, stream: BinaryIO, seconds: float, *, images: bool = True) -> Copied:
    """As :func:`back_up`, into what need not be able to seek."""
    with (
        _told_of_files("standard output"),
        snapshot(url, seconds, holds_bytes=images) as state,
    ):
        digests = write_backup(state, stream)
        stream.flush()
    return Copied(digests)


def restore(file: BinaryIO, url: str, seconds: float) -> Restored:
    """Write a backup into an empty database, at its revision, and bring that up to date.

    Nobody sees the new database before all of it was read, verified, and read there again.

    Args:
        file: The backup; need not be able to seek.
        url: Of the database.
        seconds: Longest wait for a lock or a connection.

    Raises:
        BackupError: The backup is damaged, or none.
        MovingError: It is of a newer version, or the database is not empty, or cannot hold it.
        InUse: Another process has the database.
    """
    backup = Backup(file)
    with new_database(url, backup.schema, seconds) as tables:
        copied = copy_tables(backup, tables)
        tables.bring_up_to_date()
    return Restored(backup.header, copied)


def check(file: BinaryIO) -> Restored:
    """Read a backup as :func:`restore` does, and compare all digests.

    Raises:
        BackupError: The backup is damaged, or none.
        MovingError: It is of a newer version.
    """
    backup = Backup(file)
    read = {}
    for moved in backup.schema.tables:
        digest = RunningDigest()
        for _ in backup.rows(moved, digest):
            pass
        read[moved.name] = digest.so_far()
    backup.verify(read)
    return Restored(backup.header, Copied(read))


@contextmanager
def opened_backup(path: Path) -> Iterator[BinaryIO]:
    """A file that is to be read as a backup.

    Raises:
        MovingError: It cannot be opened, or reading fails in the block.
    """
    with _told_of_files(path), path.open("rb", _BUFFER) as opened:
        yield opened


@contextmanager
def _told_of_files(name: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MovingError(f"there is no room on the disk for {name}") from error
        raise MovingError(f"{name}: {error.strerror or error}") from error


def _private(path: str, flags: int) -> int:
    """Whatever the umask: it holds digests of keys, and what people have done."""
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
