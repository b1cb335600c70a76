"""Digests of tables, by which two databases are compared, and a backup with what it is of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.moving.cells import Row, encoded_row
from service.moving.schema import MovedTable


@dataclass(frozen=True, slots=True)
class TableDigest:
    """What a table holds.

    Attributes:
        rows: How many.
        sha256: Of its rows in their canonical encoding, by primary key, in hexadecimal.
    """

    rows: int
    sha256: str


class RunningDigest:
    """A digest of rows that pass."""

    def __init__(self) -> None:
        self._rows = 0
        self._digest = hashlib.sha256()

    def add(self, encoded: bytes, rows: int = 1) -> None:
        """Take the next rows."""
        self._rows += rows
        self._digest.update(encoded)

    def so_far(self) -> TableDigest:
        """Of all that has passed."""
        return TableDigest(self._rows, self._digest.hexdigest())


def digested(rows: Iterable[Row], table: MovedTable, digest: RunningDigest) -> Iterator[Row]:
    """Rows as they pass, which the digest takes."""
    for row in rows:
        digest.add(encoded_row(row, table.kinds))
        yield row


def digest_of(rows: Iterable[Row], table: MovedTable) -> TableDigest:
    """The digest of rows that are needed for nothing else."""
    digest = RunningDigest()
    for row in rows:
        digest.add(encoded_row(row, table.kinds))
    return digest.so_far()
