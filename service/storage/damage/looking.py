"""A check of all that is stored, from end to end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Engine

from service.problems import StorageUnavailable
from service.storage.contents import Contents
from service.storage.damage.finding import Damage
from service.storage.damage.images import damaged_images
from service.storage.damage.rows import Pace, all_tables, damaged_rows
from service.storage.damage.structure import structural_damage
from service.storage.errors import Damaged
from service.storage.sqlite import SQLiteFile
from service.storage.transactions import one_state
from service.storage.uses import uses_of


def find_damage(
    engine: Engine,
    contents: Contents,
    pace: Pace,
    *,
    fills: bool,
    buckets: bool,
    begun: Callable[[sqlite3.Connection | None], None],
) -> Iterator[Damage]:
    """All damage of a database and of bytes of images; blocks, and reads everything once.

    Args:
        engine: Of the database.
        contents: Its images.
        pace: Called with what was read; waits, may raise.
        fills: Whether checksums that rows of earlier versions lack are written down.
        buckets: Whether bytes of images in buckets are read, too.
        begun: As :func:`structural_damage` calls it.

    Raises:
        StorageUnavailable, sqlite3.OperationalError: The database cannot be used now.
    """
    file: SQLiteFile | None = engine.get_execution_options().get("file")
    if file is not None:
        yield from structural_damage(file.path, begun)
    for table in all_tables():
        for damage in damaged_rows(engine, table, pace, fills=fills):
            yield _with_uses(engine, damage)
    for damage in damaged_images(engine, contents, pace, buckets=buckets):
        yield _with_uses(engine, damage)


def _with_uses(engine: Engine, damage: Damage) -> Damage:
    with suppress(StorageUnavailable, Damaged), one_state(engine) as connection:
        return replace(damage, uses=tuple(uses_of(connection, damage.table, damage.key)))
    return damage
