"""The tables as they were at a revision: which columns, of what kind, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import alembic.util
from sqlalchemy import MetaData, Table, create_engine, text, types
from sqlalchemy.types import TypeEngine

from service.moving.errors import MovingError
from service.storage.engine import upgrade

VERSION_TABLE = "alembic_version"
"""Where the revision stands; it is no table of ours."""


class Kind(StrEnum):
    """What the values of a column mean, in every database."""

    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    TEXT = "text"
    BYTES = "bytes"
    JSON = "json"
    MOMENT = "moment"


# The first that fits; a Boolean of SQLAlchemy is no Integer, nor is JSON a String.
_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (types.Boolean, Kind.BOOLEAN),
    (types.Integer, Kind.INTEGER),
    (types.Float, Kind.REAL),
    (types.DateTime, Kind.MOMENT),
    (types.JSON, Kind.JSON),
    (types.String, Kind.TEXT),
    (types.LargeBinary, Kind.BYTES),
)


@dataclass(frozen=True, slots=True)
class MovedTable:
    """A table of a revision.

    Attributes:
        name: Its name.
        columns: Their names, in the order of the table.
        kinds: Their kinds.
        key: Names of the columns of its primary key.
        text_key: Those of them that are text, which databases put in orders of their own.
        numbered: Whether an id is never given twice, so that the last one belongs to the content.
    """

    name: str
    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    key: tuple[str, ...]
    text_key: frozenset[str]
    numbered: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables of a revision.

    Attributes:
        revision: Of Alembic.
        tables: Each after those that it refers to.
    """

    revision: str
    tables: tuple[MovedTable, ...]

    @property
    def names(self) -> frozenset[str]:
        """Of the tables."""
        return frozenset(table.name for table in self.tables)


@cache
def schema_of(revision: str) -> Schema:
    """The tables of a revision, as the migrations make them.

    Args:
        revision: Of Alembic, or ``head``.

    Raises:
        MovingError: This version of Handful does not know it.
    """
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade(connection, revision)
            found = MetaData()
            found.reflect(connection)
            reached = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
            numbered = set(
                connection.scalars(
                    text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
                )
            )
    except alembic.util.CommandError as error:
        raise MovingError(
            f"the tables are at the revision {revision[:40]!r}, which this version of Handful does "
            "not know: use the version that wrote them, or a newer one"
        ) from error
    finally:
        engine.dispose()
    tables = (table for table in found.sorted_tables if table.name != VERSION_TABLE)
    return Schema(str(reached), tuple(_moved(table, table.name in numbered) for table in tables))


def _moved(table: Table, numbered: bool) -> MovedTable:
    kinds = tuple(_kind(column.type) for column in table.columns)
    key = tuple(column.name for column in table.primary_key.columns)
    columns = tuple(column.name for column in table.columns)
    of = dict(zip(columns, kinds, strict=True))
    return MovedTable(
        name=table.name,
        columns=columns,
        kinds=kinds,
        key=key,
        text_key=frozenset(name for name in key if of[name] is Kind.TEXT),
        numbered=numbered,
    )


def _kind(column: TypeEngine[Any]) -> Kind:
    return next(kind for known, kind in _KINDS if isinstance(column, known))
