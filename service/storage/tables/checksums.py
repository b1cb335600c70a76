"""Checksums (CRC-32) of bytes in a row, kept beside them: what a disk has changed is noticed.

SQLite has none, and PostgreSQL's (``data_checksums``) are of whole pages and may be off.
"""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.orm import MappedColumn, mapped_column


def checksum(*blobs: bytes | None) -> int | None:
    """That of bytes, one after the other; about a gigabyte a second. None: there are none.

    A change of up to 32 bits in a row is always noticed, any other one but for 1 in 2³².
    """
    found = 0
    for blob in blobs:
        if blob is None:
            return None
        found = zlib.crc32(blob, found)
    return found


def is_as_written(stored: int | None, *blobs: bytes | None) -> bool:
    """Whether bytes have the checksum that is stored beside them, if one is."""
    return stored is None or stored == checksum(*blobs)


def checksum_of(*columns: str) -> MappedColumn[Any]:
    """A column with the checksum of others, filled in with whatever row is inserted.

    Whoever updates one of these writes it, too. NULL in rows of versions before the migration
    0022, until the first check has filled it in.
    """

    def of_row(context: ExecutionContext) -> int | None:
        given = context.get_current_parameters()  # type: ignore[attr-defined]
        return checksum(*(given.get(name) for name in columns))

    return mapped_column(BigInteger, default=of_row)
