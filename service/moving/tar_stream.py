"""Tar (POSIX.1-1988 "ustar") as a stream: the plainest subset, read by whether it is that.

A header is read for its name and its size alone, and has to be byte for byte the one that is
written for these. So there are no links, no paths, no extensions, and nothing to be unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from tarfile import BLOCKSIZE, USTAR_FORMAT, TarInfo
from typing import BinaryIO, NamedTuple

from service.moving.errors import BackupError

MOST_BYTES = 2**30
"""Of a member: as many as SQLite lets a row have, about."""

_NAME = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+)?", re.ASCII)
_END = bytes(2 * BLOCKSIZE)
_SIZE = slice(124, 135)
_AGAIN = "it is cut short or damaged; use another backup"


class Member(NamedTuple):
    """A member of a tar: its name, and how many bytes it has."""

    name: str
    size: int


class TarWriter:
    """Writes members one after the other.

    Args:
        file: Need not be able to seek.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, name: str, parts: Sequence[bytes]) -> None:
        """Write a member of these parts."""
        size = sum(map(len, parts))
        self._file.write(_header(Member(name, size)))
        for part in parts:
            self._file.write(part)
        self._file.write(bytes(-size % BLOCKSIZE))

    def end(self) -> None:
        """Write what ends a tar."""
        self._file.write(_END)


class TarReader:
    """Reads members one after the other.

    Args:
        file: Need not be able to seek.

    All methods raise ``BackupError`` where the file is no such tar, or ends too early.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._next: Member | None = None

    def peek(self) -> Member:
        """The next member, which is read by :meth:`read`."""
        if self._next is None:
            self._next = _member(self._exactly(BLOCKSIZE))
        return self._next

    def read(self) -> bytes:
        """The bytes of the next member."""
        size = self.peek().size
        self._next = None
        data = self._exactly(size)
        if self._exactly(-size % BLOCKSIZE).strip(b"\0"):
            raise BackupError(f"the backup has other bytes between its members: {_AGAIN}")
        return data

    def end(self) -> None:
        """See that nothing comes but the end of the file."""
        if self._exactly(len(_END)) != _END or self._file.read(1):
            raise BackupError(f"the backup does not end where it should: {_AGAIN}")

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = self._file.read(min(size, 2**24))
            if not part:
                raise BackupError("the backup ends too early: it was not written or copied whole")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _header(member: Member) -> bytes:
    info = TarInfo(member.name)
    info.size, info.mode = member.size, 0o600
    return info.tobuf(USTAR_FORMAT)


def _member(header: bytes) -> Member:
    try:
        name = header[:100].rstrip(b"\0").decode("ascii")
        member = Member(name, int(header[_SIZE].decode("ascii"), 8))
    except ValueError:
        raise BackupError(f"the file is no backup, or {_AGAIN}") from None
    if not _NAME.fullmatch(name) or not 0 <= member.size <= MOST_BYTES:
        raise BackupError(f"the backup has the member {name[:100]!r}, which none has: {_AGAIN}")
    if _header(member) != header:
        raise BackupError(f"the member {name} has another header than it should: {_AGAIN}")
    return member
