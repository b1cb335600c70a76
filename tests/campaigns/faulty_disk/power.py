"""A power cut: files as they may be after it, of what was written and not flushed.

Whatever was flushed is there. Of the writes behind it, or that a failed flush was to make durable,
each may be there, missing, or torn between two sectors, whatever came before or behind it.
"""

from __future__ import annotations

import os
import random
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_RECORD = struct.Struct("=IIIIQqq")
_OPENED, _WRITTEN, _TRUNCATED, _FLUSHED, _NOT_FLUSHED = range(1, 6)
# A disk writes one of these whole, or not at all.
_SECTOR = 512


@dataclass(slots=True)
class _Write:
    """One write, or truncation where there are no bytes.

    Attributes:
        is_durable: Whether it was flushed; None: it may have been when that failed, and is not
            known to be, whatever is flushed later.
    """

    offset: int
    size: int
    before: bytes
    after: bytes | None
    is_durable: bool | None = False


def cut_power(folder: Path, log: Path, draw: random.Random) -> int:
    """Give the files of a program that was killed a content that a power cut may have left.

    Args:
        folder: Of the files.
        log: Of what was done to them.
        draw: What is there of what was not flushed: nothing, all, or any of it.

    Returns:
        How many writes are missing or torn.
    """
    paths, writes = _read(log)
    kept = draw.choice((0.0, 0.5, 0.9, 1.0))
    missing = 0
    for inode, some in writes.items():
        path = paths.get(inode)
        if path is None or not _is(path, inode):
            continue
        missing += _replay(path, some, draw, kept)
    for shared_memory in folder.rglob("*-shm"):  # of SQLite: memory, though it has a name
        shared_memory.unlink()
    return missing


def _replay(path: Path, writes: list[_Write], draw: random.Random, kept: float) -> int:
    """Undo all from the first that is not durable on, and do again what is to be there."""
    first = next((i for i, one in enumerate(writes) if not one.is_durable), len(writes))
    missing = 0
    with path.open("r+b", buffering=0) as file:
        for one in reversed(writes[first:]):
            if one.before:
                os.pwrite(file.fileno(), one.before, one.offset)
            os.ftruncate(file.fileno(), one.size)
        for one in writes[first:]:
            parts = _parts(one, draw, kept)
            missing += parts is not None
            if one.after is None:
                if parts is None:
                    os.ftruncate(file.fileno(), one.offset)
                continue
            for begin, end in [(0, len(one.after))] if parts is None else parts:
                os.pwrite(file.fileno(), one.after[begin:end], one.offset + begin)
    return missing


def _parts(one: _Write, draw: random.Random, kept: float) -> list[tuple[int, int]] | None:
    """Which of its bytes are there; None: all."""
    if one.is_durable or draw.random() < kept:
        return None
    if one.after is None or draw.random() < 0.5:
        return []
    sectors = [
        (max(0, begin - one.offset), min(len(one.after), begin - one.offset + _SECTOR))
        for begin in range(one.offset // _SECTOR * _SECTOR, one.offset + len(one.after), _SECTOR)
    ]
    return [part for part in sectors if draw.random() < 0.5]


def _read(log: Path) -> tuple[dict[int, Path], dict[int, list[_Write]]]:
    """Paths by inode, and what was done to each, in order."""
    paths: dict[int, Path] = {}
    writes: dict[int, list[_Write]] = defaultdict(list)
    for kind, inode, offset, size, before, after in _records(log):
        if kind == _OPENED:
            paths[inode] = Path(os.fsdecode(after))
        elif kind == _WRITTEN:
            writes[inode].append(_Write(offset, size, before, after))
        elif kind == _TRUNCATED:
            writes[inode].append(_Write(offset, size, before, None))
        else:
            durable = True if kind == _FLUSHED else None
            for one in writes[inode]:
                if one.is_durable is False:
                    one.is_durable = durable
    return paths, writes


def _records(log: Path) -> Iterator[tuple[int, int, int, int, bytes, bytes]]:
    content = log.read_bytes() if log.exists() else b""
    at = 0
    while at + _RECORD.size <= len(content):
        kind, length, before, _, inode, offset, size = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        if at + before + length > len(content):
            return  # it was killed while it logged what it had not written yet
        yield (
            kind, inode, offset, size,
            content[at : at + before], content[at + before : at + before + length],
        )  # fmt: skip
        at += before + length


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False
