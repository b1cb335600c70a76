"""Moving bytes of images to where new ones go, while services use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Engine, Table, func, or_, select, update
from sqlalchemy.orm import Session

from service.images.embedded import Placed
from service.problems import ImageDamaged
from service.storage.contents.contents import Contents
from service.storage.contents.kept_bytes import KeptBytes
from service.storage.contents.placing import refer
from service.storage.tables import (
    ClassifierRow,
    ContentObjectRow,
    ContentRow,
    ImageRow,
    RememberedContentRow,
    RememberedRow,
    table_of,
)
from service.storage.transactions import writing
from service.tenancy import qualified

# Images of one transaction, and bytes of them at most, about.
_TOGETHER, _MOST_BYTES = 64, 2**25
_OBJECTS = table_of(ContentObjectRow)


def move_contents(
    engine: Engine, contents: Contents, done: Callable[[int], None]
) -> tuple[int, list[str]]:
    """Move all bytes to where new ones go; what is there already is not touched.

    A few images a transaction. It may be killed anywhere: whoever does it again goes on. What a
    service registers or deletes meanwhile is not disturbed, and what is left behind in another
    store is swept like the bytes of images that are gone.

    Args:
        engine: Of the database.
        contents: Its bytes, with their target.
        done: Told how many more images are moved.

    Returns:
        How many were moved, and SHA-256 of those whose bytes are damaged, which stay.

    Raises:
        StorageUnavailable, StorageFull: A store or the database cannot be used.
    """
    moved = 0
    damaged: list[str] = []
    for mover in _movers(contents):
        after = 0
        while found := mover.page(engine, after):
            after = found[-1].id
            for some in _batches(found):
                count, lost = mover.move(engine, contents, some)
                moved, damaged = moved + count, damaged + lost
                done(count)
    return moved, damaged


def elsewhere(engine: Engine, contents: Contents) -> int:
    """How many images have their bytes elsewhere than where new ones go."""
    with Session(engine) as session:
        return sum(session.scalar(mover.counted()) or 0 for mover in _movers(contents))


class _Mover:
    """Moves the bytes of one table.

    Args:
        table: Of bytes.
        owner: Its column that says whose they are, and the primary key.
        source: Joins what has tenant and digest.
        content_key: Gives the qualified SHA-256 of a row.
        columns: That this needs.
        target: The row of the store that bytes go to; None: the database.
    """

    def __init__(
        self,
        table: Table,
        owner: Any,
        columns: tuple[Any, ...],
        source: Callable[[Any], Any],
        content_key: Callable[[Any], str],
        target: int | None,
    ) -> None:
        self._table, self._owner = table, owner
        self._columns, self._source, self._content_key = columns, source, content_key
        self._target = target

    def counted(self) -> Any:
        """A statement that counts what is left."""
        return (
            select(func.count())
            .select_from(self._table)
            .outerjoin(_OBJECTS, self._table.c.object_id == _OBJECTS.c.id)
            .where(self._is_elsewhere())
        )

    def page(self, engine: Engine, after: int) -> list[Any]:
        """What is to be moved next, without its bytes."""
        asked = self._source(
            select(
                self._owner.label("id"),
                self._table.c.object_id,
                func.coalesce(_OBJECTS.c.nbytes, func.length(self._table.c.content)).label("size"),
                *self._columns,
            )
            .select_from(self._table)
            .outerjoin(_OBJECTS, self._table.c.object_id == _OBJECTS.c.id)
        )
        asked = asked.where(self._is_elsewhere(), self._owner > after)
        with engine.connect() as connection:
            return list(connection.execute(asked.order_by(self._owner).limit(_TOGETHER)))

    def move(self, engine: Engine, contents: Contents, found: list[Any]) -> tuple[int, list[str]]:
        """Move some; returns how many were still there, and SHA-256 of those that are damaged."""
        held = (
            select(
                self._owner.label("id"),
                self._table.c.content,
                _OBJECTS.c.store_id,
                _OBJECTS.c.key,
                _OBJECTS.c.nbytes,
            )
            .outerjoin(_OBJECTS, self._table.c.object_id == _OBJECTS.c.id)
            .where(self._owner.in_([row.id for row in found]))
        )
        with engine.connect() as connection:
            rows = connection.execute(held).all()
        keys = {row.id: self._content_key(row) for row in found}
        read = dict(
            zip(
                (row.id for row in rows),
                contents.read_all(KeptBytes.of(row, keys[row.id]) for row in rows),
                strict=True,
            )
        )
        whole = {row.id: content for row in found if isinstance(content := read.get(row.id), bytes)}
        damaged = [
            self._content_key(row) for row in found if isinstance(read.get(row.id), ImageDamaged)
        ]
        givers = {keys[row_id]: partial(bytes, content) for row_id, content in whole.items()}
        before = {row.id: row.object_id for row in found}
        with contents.placed(givers) as placed, writing(engine) as session:
            moved = 0
            for row_id, content in whole.items():
                put = placed.get(keys[row_id])
                moved += self._written(session, row_id, before[row_id], content, put)
        return moved, damaged

    def _written(
        self, session: Session, row_id: int, before: int | None, content: bytes, put: Placed | None
    ) -> int:
        """Let a row say where its bytes are now, unless it is gone or says another place."""
        unchanged = (
            self._table.c.object_id.is_(None)
            if before is None
            else self._table.c.object_id == before
        )
        if put is not None:
            values: dict[str, Any] = {"content": b"", "object_id": put.id}
        else:
            values = {"content": content, "object_id": None}
        changed = session.execute(
            update(self._table).where(self._owner == row_id, unchanged).values(values)
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            return 0
        if put is not None:
            refer(session, [put])
        return 1

    def _is_elsewhere(self) -> ColumnElement[bool]:
        object_id = self._table.c.object_id
        if self._target is None:
            return object_id.is_not(None)
        return or_(object_id.is_(None), _OBJECTS.c.store_id != self._target)


def _movers(contents: Contents) -> tuple[_Mover, ...]:
    images, remembered = table_of(ContentRow), table_of(RememberedContentRow)
    of_images, of_queries = table_of(ImageRow), table_of(RememberedRow)
    classifiers = table_of(ClassifierRow)
    return (
        _Mover(
            images,
            images.c.image_id,
            (of_images.c.content_key,),
            lambda asked: asked.join(of_images, of_images.c.id == images.c.image_id),
            lambda row: str(row.content_key),
            contents.target,
        ),
        _Mover(
            remembered,
            remembered.c.remembered_id,
            (of_queries.c.sha256, classifiers.c.tenant),
            lambda asked: asked.join(
                of_queries, of_queries.c.id == remembered.c.remembered_id
            ).join(classifiers, classifiers.c.id == of_queries.c.classifier_id),
            lambda row: qualified(row.tenant, row.sha256),
            contents.target,
        ),
    )


def _batches(found: list[Any]) -> Iterator[list[Any]]:
    """Rows in their order, of so many bytes at most, or one."""
    some: list[Any] = []
    size = 0
    for row in found:
        if some and size + row.size > _MOST_BYTES:
            yield some
            some, size = [], 0
        some.append(row)
        size += row.size
    if some:
        yield some
