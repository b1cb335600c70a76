"""Rows written into new tables, and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Insert,
    Text,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.exc import DBAPIError

from service.moving.cells import Cell, Row, fits
from service.moving.digests import TableDigest, digest_of
from service.moving.errors import MovingError
from service.moving.reading import rows_of, sqlite_moment
from service.moving.schema import Kind, MovedTable, Schema
from service.problems import StorageFull, StorageUnavailable
from service.storage.engine import upgrade
from service.storage.errors import Outdated

_BYTES, _ROWS = 4 * 2**20, 1000


class NewTables:
    """The tables of a revision, made in a transaction that nobody else sees the rows of.

    Args:
        connection: In that transaction.
        schema: Of the tables to make.
    """

    def __init__(self, connection: Connection, schema: Schema) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._schema = schema
        upgrade(connection, schema.revision)
        for moved in schema.tables:  # a migration may have written into a table that it made
            connection.execute(delete(table(moved.name)))

    def write(self, moved: MovedTable, rows: Iterable[Row]) -> None:
        """Write rows of a table, of which none is there yet.

        Raises:
            MovingError: This database cannot hold one of them; the message says which.
        """
        statement = self._insert(moved)
        writers = [self._writer(kind) for kind in moved.kinds]
        for some in _batches(self._checked(moved, rows)):
            written = [
                {
                    f"v{at}": cell if write is None or cell is None else write(cell)
                    for at, (write, cell) in enumerate(zip(writers, row, strict=True))
                }
                for row in some
            ]
            self._execute(statement, written, moved, some)

    def digest(self, moved: MovedTable) -> TableDigest:
        """The digest of what is in a table now."""
        return digest_of(rows_of(self._connection, moved), moved)

    def set_last_ids(self, last: Mapping[str, int]) -> None:
        """Let ids be given from behind the last one that was, and behind those that are there."""
        for moved in self._schema.tables:
            if self._sqlite and moved.numbered:
                self._set_last_of_sqlite(moved.name, last.get(moved.name, 0))
            elif (
                not self._sqlite and moved.kinds[moved.columns.index(moved.key[0])] is Kind.INTEGER
            ):
                self._set_last_of_server(moved, last.get(moved.name, 0))

    def analyse(self) -> None:
        """Let PostgreSQL know how much is in them, so that the first queries are planned well."""
        if not self._sqlite:
            for moved in self._schema.tables:
                quote = self._connection.dialect.identifier_preparer.quote
                self._connection.execute(text(f"ANALYZE {quote(moved.name)}"))

    def bring_up_to_date(self) -> None:
        """Migrate them to what this version of Handful has."""
        upgrade(self._connection)

    def _checked(self, moved: MovedTable, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if not self._sqlite:
                for name, kind, cell in zip(moved.columns, moved.kinds, row, strict=True):
                    if not fits(cell, kind):
                        raise MovingError(
                            f"{_place(moved, row)} holds in {name} {str(cell)[:60]!r}, which is no "
                            f"{kind}; only SQLite can keep that: mend the row, or delete what it "
                            "belongs to, before"
                        )
            yield row

    def _insert(self, moved: MovedTable) -> Insert:
        into = table(moved.name, *(column(name) for name in moved.columns))
        values: dict[str, Any] = {}
        for at, (name, kind) in enumerate(zip(moved.columns, moved.kinds, strict=True)):
            value: ColumnElement[Any] = bindparam(f"v{at}")
            is_json = kind is Kind.JSON and not self._sqlite
            values[name] = cast(cast(value, Text), JSON) if is_json else value
        return insert(into).values(values)

    def _writer(self, kind: Kind) -> Callable[[Any], Any] | None:
        return _sqlite_moment_of if self._sqlite and kind is Kind.MOMENT else None

    def _execute(
        self,
        statement: Insert,
        written: list[dict[str, Any]],
        moved: MovedTable,
        rows: Sequence[Row],
    ) -> None:
        try:
            with self._connection.begin_nested():
                self._connection.execute(statement, written)
        except (StorageFull, StorageUnavailable):
            raise
        except (DBAPIError, Outdated) as error:
            if len(rows) > 1:  # to find the one
                half = len(rows) // 2
                self._execute(statement, written[:half], moved, rows[:half])
                self._execute(statement, written[half:], moved, rows[half:])
                return
            cause = " ".join(str(error.__cause__ or error).split())[:300]
            raise MovingError(f"{_place(moved, rows[0])} cannot be written: {cause}") from error

    def _set_last_of_sqlite(self, name: str, last: int) -> None:
        given = {"name": name, "last": last}
        self._connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), given)
        if last > 0:
            self._connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), given
            )

    def _set_last_of_server(self, moved: MovedTable, last: int) -> None:
        [key, *_] = moved.key
        into = table(moved.name, column(key))
        most = self._connection.scalar(select(func.coalesce(func.max(into.c[key]), 0)))
        last = max(last, most or 0)
        # Where there is no sequence its name is null, and nothing is done.
        sequence = cast(func.pg_get_serial_sequence(moved.name, key), REGCLASS)
        self._connection.execute(select(func.setval(sequence, max(last, 1), last > 0)))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    some: list[Row] = []
    nbytes = 0
    for row in rows:
        some.append(row)
        nbytes += sum(len(cell) for cell in row if isinstance(cell, bytes | str))
        if nbytes >= _BYTES or len(some) == _ROWS:
            yield some
            some, nbytes = [], 0
    if some:
        yield some


def _place(moved: MovedTable, row: Row) -> str:
    key = {name: row[moved.columns.index(name)] for name in moved.key}
    return f"the row of {moved.name} with {', '.join(f'{n} {v!r}' for n, v in key.items())}"


def _sqlite_moment_of(cell: Cell) -> Cell:
    return sqlite_moment(cell) if isinstance(cell, datetime) else cell
