"""Bytes of images that are kept outside the database, in its rows as if they were inside."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, Select, column, select, table

from service.moving.cells import Row
from service.moving.errors import MovingError
from service.moving.schema import MovedTable, Schema
from service.problems import ImageDamaged
from service.storage.contents import Contents, KeptBytes

_STORES, _OBJECTS = "content_stores", "content_objects"
_REFERENCE, _CONTENT = "object_id", "content"
# References that are looked up at a time.
_TOGETHER = 64


class HeldBytes:
    """Rows with the bytes that they refer to, of one state of a database.

    Args:
        connection: In a transaction that sees that state alone.
        contents: Of the database.
    """

    def __init__(self, connection: Connection, contents: Contents) -> None:
        self._connection = connection
        self._contents = contents

    def rows(self, moved: MovedTable, rows: Iterator[Row]) -> Iterator[Row]:
        """Rows of a table; of stores, and of what lies in them, there are none then.

        Raises:
            MovingError: Bytes are gone or damaged.
            StorageUnavailable: Their store cannot be used now.
        """
        if moved.name in (_STORES, _OBJECTS):
            return iter(())
        return self._embedded(moved, rows) if _REFERENCE in moved.columns else rows

    def _embedded(self, moved: MovedTable, rows: Iterator[Row]) -> Iterator[Row]:
        reference, content = (moved.columns.index(name) for name in (_REFERENCE, _CONTENT))
        waiting: deque[Row] = deque()

        def held() -> Iterator[KeptBytes | None]:
            for inside, some in groupby(rows, lambda row: row[reference] is None):
                if inside:
                    for row in some:
                        waiting.append(row)
                        yield None
                    continue
                while together := list(islice(some, _TOGETHER)):
                    objects = self._objects([row[reference] for row in together])
                    for row in together:
                        waiting.append(row)
                        yield KeptBytes(b"", *objects[row[reference]])

        for read in self._contents.read_all(held()):
            row = list(waiting.popleft())
            if isinstance(read, ImageDamaged):
                raise MovingError(
                    f"the bytes of the row of {moved.name} with {moved.key[0]} {row[0]!r} are "
                    "gone from their store, or damaged. Restore them, or DELETE that image; or "
                    "write where they are instead of the bytes, with --no-images"
                )
            if read is not None:
                row[content], row[reference] = read, None
            yield tuple(row)

    def _objects(self, ids: Sequence[Any]) -> dict[Any, tuple[int, str]]:
        of = table(_OBJECTS, column("id"), column("store_id"), column("key"))
        found = self._connection.execute(
            select(of.c.id, of.c.store_id, of.c.key).where(of.c.id.in_(ids))
        )
        return {row_id: (store, key) for row_id, store, key in found}


def locations(connection: Connection, schema: Schema) -> tuple[str, ...]:
    """Where bytes are kept that rows refer to, as URLs without secrets."""
    if _STORES not in schema.names:
        return ()
    stores, objects = table(_STORES, column("id"), column("location")), table(_OBJECTS)
    used: Select[Any] = select(column("store_id")).select_from(objects).distinct()
    found = connection.scalars(
        select(stores.c.location).where(stores.c.id.in_(used)).order_by(stores.c.location)
    )
    return tuple(map(str, found))
