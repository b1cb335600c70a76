"""Forty bytes of a database's middle pages are changed: does one check notice?

No service runs: the check is the one that a service makes, in this process.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from service.problems import StorageUnavailable
from service.storage.contents import Contents
from service.storage.damage import find_damage
from service.storage.engine import open_database
from service.storage.errors import StorageError

BYTES = 40
"""That are changed at a time."""
_HEADER = 4096


@dataclass
class Flipped:
    """What a round has shown.

    Attributes:
        outcome: ``noticed``; ``harmless``: all rows are as they were; ``missed``.
        how: In a row (``run``), or each anywhere on the page (``scattered``).
        by: Kinds of damage that were found, or why the database could not be opened.
        rows: Columns that are others than before, where it was missed.
    """

    outcome: str
    how: str
    by: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    seconds: float = 0.0


def flip(file: Path, draw: random.Random) -> str:
    """Change bytes of one page of a file, in the middle nine tenths; how."""
    content = bytearray(file.read_bytes())
    pages = len(content) // _HEADER
    page = draw.randrange(max(1, pages // 20), max(2, pages - pages // 20))
    begin, end = page * _HEADER, min((page + 1) * _HEADER, len(content))
    how = draw.choice(("run", "scattered"))
    if how == "run":
        first = draw.randrange(begin, max(begin + 1, end - BYTES))
        places = list(range(first, min(first + BYTES, end)))
    else:
        places = draw.sample(range(begin, end), min(BYTES, end - begin))
    for place in places:
        content[place] ^= draw.randrange(1, 256)
    file.write_bytes(content)
    return how


def flipped(base: Path, file: Path, draw: random.Random) -> Flipped:
    """Damage a copy of a database, and check it.

    Args:
        base: The database, of which no log is left.
        file: Where the copy goes; what is there is replaced.
        draw: Of the round.
    """
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(base, file)
    found = Flipped("missed", flip(file, draw))
    before = perf_counter()
    try:
        engine = open_database(f"sqlite:///{file}")
    except StorageError as error:
        found.outcome, found.by = "noticed", [f"not opened: {str(error)[:200]}"]
        return found
    try:
        damage = list(
            find_damage(
                engine,
                Contents(engine),
                lambda _: None,
                fills=False,
                buckets=False,
                begun=lambda _: None,
            )
        )
    except StorageUnavailable as problem:
        found.outcome, found.by = "noticed", [f"not read: {problem.detail}"]
        return found
    finally:
        engine.dispose()
        found.seconds = perf_counter() - before
    if damage:
        found.outcome, found.by = "noticed", sorted({one.kind for one in damage})
        return found
    found.rows = sorted(_other_cells(base, file))
    if not found.rows:
        found.outcome = "harmless"
    return found


def _other_cells(base: Path, file: Path) -> Iterator[str]:
    """Columns in which two databases differ."""
    one, other = _cells(base), _cells(file)
    for table, rows in one.items():
        if len(rows) != len(other.get(table, ())):
            yield f"{table} (rows)"
            continue
        for (names, row), (_, now) in zip(rows, other[table], strict=True):
            yield from {
                f"{table}.{name}"
                for name, cell, then in zip(names, row, now, strict=True)
                if cell != then
            }


def _cells(file: Path) -> dict[str, list[tuple[list[str], tuple[Any, ...]]]]:
    cells = {}
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for (name,) in tables:
            table = name.decode()
            cursor = connection.execute(f'SELECT * FROM "{table}" NOT INDEXED')
            names = [column[0] for column in cursor.description]
            cells[table] = sorted(((names, row) for row in cursor), key=repr)
    return cells
