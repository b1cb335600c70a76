"""Backups: a snapshot of a database as one stream, and read again.

A tar of ``handful-backup.json``, the rows of each table in members of some megabytes
(``images/000000001``) as :mod:`service.moving.cells` encodes them, and ``manifest.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import BinaryIO

from service.moving.backup_documents import (
    HEADER,
    MANIFEST,
    MOST_DOCUMENT_BYTES,
    DigestOfTable,
    Header,
    Manifest,
    columns_of,
    read_header,
    read_manifest,
    written,
)
from service.moving.cells import Row, decoded_rows
from service.moving.digests import RunningDigest, TableDigest
from service.moving.errors import BackupError
from service.moving.schema import MovedTable, Schema, schema_of
from service.moving.snapshot import Snapshot
from service.moving.tar_stream import TarReader, TarWriter

# A member is ended by the row that brings it to so many bytes.
_MEMBER = 4 * 2**20


def write_backup(state: Snapshot, file: BinaryIO) -> Mapping[str, TableDigest]:
    """Write all rows of a database; memory holds some megabytes of them, and one at least.

    Args:
        state: Of the database.
        file: Need not be able to seek.

    Returns:
        What each table holds.

    Raises:
        MovingError: The database cannot be read.
        OSError: The file cannot be written.
    """
    tar = TarWriter(file)
    header = written(
        Header(
            handful=version("handful"),
            revision=state.schema.revision,
            created_at=datetime.now(UTC),
            database=state.dialect,
            tables=columns_of(state.schema),
            last_ids=state.last_ids(),
            refers_to=state.refers_to(),
        )
    )
    tar.write(HEADER, [header])
    digests: dict[str, TableDigest] = {}
    for moved in state.schema.tables:
        digest = RunningDigest()
        for number, rows in enumerate(_members(state, moved, digest), start=1):
            tar.write(f"{moved.name}/{number:09}", rows)
        digests[moved.name] = digest.so_far()
    manifest = Manifest(
        header_sha256=hashlib.sha256(header).hexdigest(),
        tables={
            name: DigestOfTable(rows=digest.rows, sha256=digest.sha256)
            for name, digest in digests.items()
        },
    )
    tar.write(MANIFEST, [written(manifest)])
    tar.end()
    return digests


def _members(state: Snapshot, moved: MovedTable, digest: RunningDigest) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    nbytes = 0
    for encoded in state.encoded(moved, digest):
        some.append(encoded)
        nbytes += len(encoded)
        if nbytes >= _MEMBER:
            yield some
            some, nbytes = [], 0
    if some:
        yield some


class Backup:
    """A backup that is read from its beginning to its end, once.

    Args:
        file: Need not be able to seek.

    Attributes:
        header: Its first document.
        schema: Of its tables.

    Raises:
        BackupError: It is none, or damaged; so do all methods.
        MovingError: It is of a revision that this version does not know.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._tar = TarReader(file)
        self._header = self._document(HEADER)
        self.header = read_header(self._header)
        known = schema_of(self.header.revision)
        self.header.check(known)
        of = {moved.name: moved for moved in known.tables}
        self.schema = Schema(known.revision, tuple(of[one.name] for one in self.header.tables))

    def rows(self, moved: MovedTable, digest: RunningDigest) -> Iterator[Row]:
        """The rows of the next table, in the order of the schema."""
        number = 0
        while self._tar.peek().name.partition("/")[0] == moved.name:
            number += 1
            if (name := self._tar.peek().name) != f"{moved.name}/{number:09}":
                raise BackupError(f"the backup has {name}, and should have {number:09} before")
            data = self._tar.read()
            count = 0
            for row in decoded_rows(data, moved.kinds):
                count += 1
                yield row
            digest.add(data, count)

    def last_ids(self) -> Mapping[str, int]:
        """The last id of each table that gives none twice."""
        return self.header.last_ids

    def verify(self, read: Mapping[str, TableDigest]) -> None:
        """Read the end, and compare what was read with what it says.

        Raises:
            BackupError: Something else was read than was written.
        """
        manifest = read_manifest(self._document(MANIFEST), self._header)
        self._tar.end()
        if manifest.tables.keys() != read.keys():
            raise BackupError(f"the backup's {MANIFEST} is of other tables")
        for name, digest in read.items():
            told = manifest.tables[name]
            if (told.rows, told.sha256) != (digest.rows, digest.sha256):
                raise BackupError(
                    f"the table {name} of the backup is damaged: {digest.rows} rows with the "
                    f"digest {digest.sha256[:16]}, and not {told.rows} with {told.sha256[:16]}. "
                    "Use another backup"
                )

    def _document(self, name: str) -> bytes:
        member = self._tar.peek()
        if member.name != name:
            raise BackupError(f"the backup has {member.name} where {name} should be")
        if member.size > MOST_DOCUMENT_BYTES:
            raise BackupError(f"the backup's {name} has {member.size} bytes, more than any has")
        return self._tar.read()
