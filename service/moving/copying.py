"""Tables copied from a source into a new database, and compared there with what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.moving.cells import Row
from service.moving.digests import RunningDigest, TableDigest
from service.moving.errors import MovingError
from service.moving.schema import MovedTable, Schema
from service.moving.writing import NewTables


class Source(Protocol):
    """What tables are copied from: a snapshot, or a backup."""

    @property
    def schema(self) -> Schema:
        """Of the tables."""

    def rows(self, moved: MovedTable, digest: RunningDigest) -> Iterator[Row]:
        """All rows of a table, which the digest takes; tables come in the order of the schema."""

    def last_ids(self) -> Mapping[str, int]:
        """The last id of each table that gives none twice."""

    def verify(self, read: Mapping[str, TableDigest]) -> None:
        """Compare what was read of all tables with what is known of them, where that is."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied.

    Attributes:
        tables: What each table holds, in the source and in the new database.
    """

    tables: Mapping[str, TableDigest]

    def __str__(self) -> str:
        counts = [
            f"{self._rows('classifiers')} classifiers with {self._rows('images')} images",
            f"{sum(digest.rows for digest in self.tables.values())} rows of all tables",
        ]
        return ", ".join(counts)

    def _rows(self, name: str) -> int:
        return self.tables[name].rows


def copy_tables(source: Source, target: NewTables) -> Copied:
    """Copy all rows of all tables, and read them again to compare.

    Raises:
        MovingError: The new database cannot hold a row, or gives back another one.
        BackupError: The source is a backup, and damaged.
    """
    read: dict[str, TableDigest] = {}
    for moved in source.schema.tables:
        digest = RunningDigest()
        target.write(moved, source.rows(moved, digest))
        read[moved.name] = digest.so_far()
    source.verify(read)
    target.set_last_ids(source.last_ids())
    for moved in source.schema.tables:
        if (written := target.digest(moved)) != read[moved.name]:
            raise MovingError(
                f"the table {moved.name} was not written as it was read: {written.rows} rows with "
                f"the digest {written.sha256[:16]}, and not {read[moved.name].rows} with "
                f"{read[moved.name].sha256[:16]}; nothing was left in the new database"
            )
    target.analyse()
    return Copied(read)
