"""Content of all tables, drawn by a seed: whatever their types and constraints let be."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Column, Engine, Integer, String, Table, UniqueConstraint, select

from service.moving.cells import Cell, Row
from service.moving.copying import copy_tables
from service.moving.digests import RunningDigest, TableDigest, digested
from service.moving.new_database import new_database
from service.moving.schema import Kind, MovedTable, schema_of
from service.moving.snapshot import snapshot
from service.storage.engine import open_database
from service.storage.tables import Base, Ids, Names, Strings

HEAD = schema_of("head")
LAST = 2**31 - 500
Content = dict[str, list[Row]]

_CHARACTERS = "ab 0-_'\"\\%{}\n\t\x01\x7f\x85é\u0301ßİ\u2028\ufeff\ufffd日本\U0001f98a\U0010ffff"


def content_of(seed: int, least: int = 0, most: int = 3) -> Content:
    """Rows of all tables, so many of each, in the order of the primary key."""
    random, content = Random(seed), Content()
    for moved in HEAD.tables:
        rows = [_row(random, moved, content) for _ in range(random.randint(least, most))]
        content[moved.name] = _by_key(_consistent([row for row in rows if row], moved), moved)
    return content


def value(random: Random, column: Column[Any], kind: Kind) -> Cell:
    """What a column can hold, but for null."""
    match kind:
        case Kind.INTEGER:
            bits = 31 if type(column.type) is Integer else 63
            if column.primary_key:  # others come behind it
                return random.randint(1, 2**bits - 1000)
            return random.choice([random.randrange(-(2**bits), 2**bits), -(2**bits), 2**bits - 1])
        case Kind.REAL:
            return random.choice(
                [random.random(), random.uniform(-1e300, 1e300), 5e-324, -0.0, 0.1, 1.0, math.inf]
            )
        case Kind.BOOLEAN:
            return random.random() < 0.5
        case Kind.TEXT:
            length = column.type.length if isinstance(column.type, String) else None
            return _text(random, min(12, length or 12))
        case Kind.BYTES:
            return random.randbytes(random.randint(0, 20))
        case Kind.JSON:
            document = _document(random)
            if isinstance(column.type, Ids):
                document = [random.randrange(2**31) for _ in range(random.randrange(3))]
            elif isinstance(column.type, Strings | Names):
                document = [_text(random) for _ in range(random.randrange(3))]
            return json.dumps(document, ensure_ascii=random.random() < 0.5)
        case Kind.MOMENT:
            moment = datetime(1900, 1, 1, tzinfo=UTC) + random.random() * timedelta(days=2.9e6)
            return moment.replace(microsecond=random.choice([0, 1, 500000, 999999]))


def _text(random: Random, most: int = 12) -> str:
    return "".join(random.choices(_CHARACTERS, k=random.randint(0, most)))


def _document(random: Random, depth: int = 0) -> Any:
    """JSON's own values stand in arrays or objects, as they do in all columns but for null."""
    leaf = random.choice([None, True, random.randint(-(2**70), 2**70), random.random(), "\0é"])
    if depth == 0 and random.random() < 0.2:
        return None
    if depth == 2:
        return leaf
    inside = [_document(random, depth + 1) for _ in range(random.randint(0, 2))]
    return inside if random.random() < 0.5 else {_text(random, 4): one for one in inside}


def different(one: Cell, other: Cell) -> bool:
    """Whether two values of a column are two; SQLite makes 0.0 of -0.0."""
    return one != other


def _row(random: Random, moved: MovedTable, content: Content) -> Row:
    """A row, or none where it would refer to what is not there."""
    cells: list[Cell] = []
    for name, kind in zip(moved.columns, moved.kinds, strict=True):
        column = Base.metadata.tables[moved.name].columns[name]
        cell = None if column.nullable and random.random() < 0.3 else value(random, column, kind)
        for key in column.foreign_keys:
            of = next(one for one in HEAD.tables if one.name == key.column.table.name)
            there = [row[of.columns.index(key.column.name)] for row in content[of.name]]
            cell = random.choice(there) if there else None
            if cell is None and not column.nullable:
                return ()
        cells.append(cell)
    return tuple(cells)


def _consistent(rows: list[Row], moved: MovedTable) -> list[Row]:
    """Without rows that a constraint does not let be beside those before."""
    table: Table = Base.metadata.tables[moved.name]
    unique = [moved.key, *((c.name,) for c in table.columns if c.unique)]
    unique += [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    kept: list[Row] = []
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        of = dict(zip(moved.columns, row, strict=True))
        found = {(names, *(of[name] for name in names)) for names in unique}
        if not found & seen:
            seen |= found
            kept.append(row)
    return kept


def _by_key(rows: list[Row], moved: MovedTable) -> list[Row]:
    places = [moved.columns.index(name) for name in moved.key]

    def key(row: Row) -> list[Any]:
        cells = [row[place] for place in places]
        return [cell.encode() if isinstance(cell, str) else cell for cell in cells]

    return sorted(rows, key=key)


class Made:
    """Content as a source of tables."""

    schema = HEAD

    def __init__(self, content: Content) -> None:
        self._content = content

    def rows(self, moved: MovedTable, digest: RunningDigest) -> Any:
        return digested(self._content[moved.name], moved, digest)

    def last_ids(self) -> dict[str, int]:
        return {"audit": 2**31 - 900, "classes": 0, "support": LAST}

    def verify(self, read: object) -> None:
        """There is nothing to compare with."""


def fill(url: str, content: Content) -> None:
    """Make a database of this content."""
    with new_database(url, HEAD, 10) as tables:
        copy_tables(Made(content), tables)


def digests(url: str) -> dict[str, TableDigest]:
    """The digests of all tables of a database."""
    found = {}
    with snapshot(url, 10) as state:
        for moved in state.schema.tables:
            digest = RunningDigest()
            assert all(row for row in state.rows(moved, digest))
            found[moved.name] = digest.so_far()
    return found


def typed_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as the service reads them; the migrations run before."""
    engine: Engine = open_database(url)
    try:
        with engine.connect() as connection:
            return {
                name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
                for name, table in Base.metadata.tables.items()
            }
    finally:
        engine.dispose()
