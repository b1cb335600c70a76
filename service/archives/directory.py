"""How much a zip archive's directory asks to be read, before anybody reads it.

APPNOTE.TXT 6.3.10, sections 4.3.12 (headers), 4.3.14 to 4.3.16 (end of central directory, ZIP64).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = b"PK\x01\x02"
# The least of an entry.
HEADER_BYTES = 46
_END = b"PK\x05\x06"
_END_BYTES = 22
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_END_64 = b"PK\x06\x06"
_END_64_BYTES = 56
_LONGEST_COMMENT = 2**16 - 1


class Directory(NamedTuple):
    """What is announced.

    Attributes:
        entries: At least as many as can be read.
        size: Bytes.
    """

    entries: int
    size: int


def measure_directory(content: bytes) -> Directory | None:
    """Measure the central directory without walking through it; None if there is none.

    A count that is announced may lie, so the headers' signatures are counted as well.
    """
    end = _find_end(content)
    if end is None:
        return None
    announced, size = struct.unpack_from("<HI", content, end + 10)
    if size == 2**32 - 1:
        size = 0
    at_64 = end - _LOCATOR_BYTES - _END_64_BYTES
    if at_64 >= 0 and content.startswith(_LOCATOR, end - _LOCATOR_BYTES):
        if content.startswith(_END_64, at_64):
            announced_64, size_64 = struct.unpack_from("<Q8xQ", content, at_64 + 24)
            announced, size = max(announced, announced_64), max(size, size_64)
        end = at_64
    start = max(0, end - size)
    return Directory(max(announced, content.count(_HEADER, start)), size)


def tail_bytes(directory: int) -> int:
    """Bytes at the end of an archive that hold a directory of that size, and all behind it."""
    return directory + _END_64_BYTES + _LOCATOR_BYTES + _END_BYTES + _LONGEST_COMMENT


def _find_end(content: bytes) -> int | None:
    plain = len(content) - _END_BYTES
    if plain < 0:
        return None
    if content.startswith(_END, plain) and content.endswith(b"\0\0"):
        return plain
    found = content.rfind(_END, max(0, plain - _LONGEST_COMMENT))
    return found if 0 <= found <= plain else None
