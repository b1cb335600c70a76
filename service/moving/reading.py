"""Rows of a table as the canonical cells, in the order of the primary key, few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, column, select, table, text

from service.moving.cells import Cell, Row
from service.moving.errors import MovingError
from service.moving.schema import VERSION_TABLE, Kind, MovedTable

# Bytes of rows in memory at a time, about; and most of them.
_BYTES, _ROWS = 4 * 2**20, 2000
_FIRST = 16


def rows_of(connection: Connection, moved: MovedTable) -> Iterator[Row]:
    """All rows of a table as the transaction sees them, by primary key.

    Memory holds some megabytes of them, and one at least.
    """
    sqlite = connection.dialect.name == "sqlite"
    of_kind = _OF_SQLITE if sqlite else _OF_SERVER
    readers = [of_kind.get(kind) for kind in moved.kinds]
    result = connection.execute(
        _statement(moved, sqlite=sqlite), execution_options={"stream_results": True}
    )
    with result:
        size = _FIRST
        while some := result.fetchmany(size):
            rows = [tuple(map(_read, readers, row)) for row in some]
            yield from rows
            size = _next_size(rows)


def last_ids(connection: Connection, tables: Sequence[MovedTable]) -> dict[str, int]:
    """The last id that was given in each table that gives none twice."""
    numbered = [one for one in tables if one.numbered]
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("SELECT name, seq FROM sqlite_sequence"))
        given = {str(name): int(last) for name, last in found}
        return {one.name: given.get(one.name, 0) for one in numbered}
    return {one.name: _last_of_sequence(connection, one) for one in numbered}


def current_revision(connection: Connection) -> str | None:
    """The revision that the tables are at; None where there is none of ours."""
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        return None
    found = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return None if found is None else str(found)


def _statement(moved: MovedTable, *, sqlite: bool) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [
        # As text: what psycopg makes of JSON could be written in more than one way.
        cast(column(name), Text).label(name) if kind is Kind.JSON and not sqlite else column(name)
        for name, kind in zip(moved.columns, moved.kinds, strict=True)
    ]
    # By code points, as SQLite does, whatever the collation of the server.
    order: list[ColumnElement[Any]] = [
        column(name).collate("C") if name in moved.text_key and not sqlite else column(name)
        for name in moved.key
    ]
    return select(*columns).select_from(table(moved.name)).order_by(*order)


def _last_of_sequence(connection: Connection, moved: MovedTable) -> int:
    [key] = moved.key
    sequence = connection.scalar(
        text("SELECT pg_get_serial_sequence(:of, :key)"), {"of": moved.name, "key": key}
    )
    if sequence is None:
        raise MovingError(f"the table {moved.name} has no sequence for its {key}")
    last, given = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608 - of our tables
    return int(last) if given else 0


def _next_size(rows: Sequence[Row]) -> int:
    nbytes = sum(len(cell) for row in rows for cell in row if isinstance(cell, bytes | str))
    return max(1, min(_ROWS, _BYTES * len(rows) // (nbytes + 1), 2 * len(rows) + _FIRST))


def _read(reader: Callable[[Any], Cell] | None, value: Any) -> Cell:
    return value if reader is None or value is None else reader(value)


def _sqlite_boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


def _sqlite_moment(value: Any) -> Any:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    # What is written in another way is kept as it is written.
    if sqlite_moment(moment) != value:
        return value
    return moment.replace(tzinfo=UTC)


def sqlite_moment(moment: datetime) -> str:
    """A point in time as SQLAlchemy writes it into SQLite, without its zone."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


_OF_SQLITE: dict[Kind, Callable[[Any], Cell]] = {
    Kind.BOOLEAN: _sqlite_boolean,
    Kind.MOMENT: _sqlite_moment,
}
_OF_SERVER: dict[Kind, Callable[[Any], Cell]] = {Kind.BYTES: bytes, Kind.MOMENT: _utc}
