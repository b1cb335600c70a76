"""Bytes of images against their SHA-256, in the database and in the stores beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Engine, Select, bindparam, select

from service.problems import ImageDamaged, StorageUnavailable
from service.settings.image_location import folder_of
from service.storage.contents import (
    HELD,
    HELD_OF_REMEMBERED,
    Contents,
    KeptBytes,
)
from service.storage.contents.object_store import AGAIN
from service.storage.damage.finding import Damage
from service.storage.damage.rows import Pace
from service.storage.damage.structure import is_damage
from service.storage.errors import Damaged, StorageError
from service.storage.tables import (
    ContentObjectRow,
    ContentRow,
    ContentStoreRow,
    RememberedContentRow,
)

_PAGE = 256
# Images of a store that cannot be read, one after the other, until no more of it are tried.
_IN_A_ROW = 20
_ID: BindParameter[Any] = bindparam("of")
_AFTER: BindParameter[Any] = bindparam("after")


def _table(row_id: Any, object_id: Any, held: Any) -> tuple[str, Any, Any]:
    """A table's name, a page of its ids with their stores, and bytes and digest by one id."""
    ids = (
        select(row_id.label("id"), ContentObjectRow.store_id)
        .outerjoin(ContentObjectRow, ContentObjectRow.id == object_id)
        .where(row_id > _AFTER)
        .order_by(row_id)
        .limit(_PAGE)
    )
    return row_id.table.name, ids, held.where(row_id == _ID)


_OF_IMAGES, _OF_REMEMBERED = ContentRow.__table__.c, RememberedContentRow.__table__.c
_TABLES = (
    _table(_OF_IMAGES.image_id, _OF_IMAGES.object_id, HELD),
    _table(_OF_REMEMBERED.remembered_id, _OF_REMEMBERED.object_id, HELD_OF_REMEMBERED),
)


def damaged_images(
    engine: Engine, contents: Contents, pace: Pace, *, buckets: bool
) -> Iterator[Damage]:
    """Images whose bytes are not those of their digest; one is in memory at a time; blocks.

    Args:
        engine: Of the database.
        contents: Its images.
        pace: Called after each that is read, and after each page.
        buckets: Whether those in buckets are read, too, which has its price there.

    Raises:
        StorageUnavailable: The database cannot be used now, and not for its damage.
    """
    stores = _Stores(engine, contents, buckets=buckets)
    for table, ids, one in _TABLES:
        after = 0
        while True:
            try:
                with engine.connect() as connection:
                    found = connection.execute(ids, {"after": after}).all()
            except StorageUnavailable as problem:
                if not is_damage(problem.__cause__):
                    raise
                yield Damage("structure", f"{table} cannot be read beyond {after}", table)
                break
            if not found:
                break
            for row_id, store_id in found:
                if stores.reads(store_id, table, row_id):
                    damage, nbytes = _compared(engine, stores, table, one, row_id)
                    if damage is not None:
                        yield damage
                    pace(nbytes)
            after = found[-1].id
            pace(0)
    yield from stores.unreadable()


def _compared(
    engine: Engine, stores: _Stores, table: str, one: Select[Any], row_id: int
) -> tuple[Damage | None, int]:
    """The damage of an image, and how many bytes were read."""
    try:
        with engine.connect() as connection:
            row = connection.execute(one, {"of": row_id}).one_or_none()
    except StorageUnavailable as problem:
        if not is_damage(problem.__cause__):
            raise
        return Damage("image", "the bytes of an image cannot be read", table, (row_id,)), 0
    except (Damaged, TypeError) as error:
        said = f"where an image's bytes are cannot be read: {error}"
        return Damage("row", said, table, (row_id,)), 0
    if row is None:  # deleted meanwhile
        return None, 0
    try:
        return None, stores.read(KeptBytes.of(row), table, row_id)
    except ImageDamaged as problem:
        return Damage("image", str(problem.detail), table, (row_id,)), 0


@dataclass(slots=True)
class _Store:
    """A folder or bucket, and what of it cannot be read.

    Attributes:
        skipped: It is not to be read at all.
        given_up: Neither is the rest of it.
        images: That could not be compared.
        why: The first could not.
        first: Table and key of that one.
        in_a_row: That could not be read, since the last one that could.
    """

    location: str
    skipped: bool = False
    given_up: bool = False
    images: int = 0
    why: str = ""
    first: tuple[str, int] = ("", 0)
    in_a_row: int = 0

    def fail(self, why: str, table: str, row_id: int) -> None:
        """One more image cannot be read."""
        if not self.images:
            self.why, self.first = why, (table, row_id)
        self.images += 1
        self.in_a_row += 1
        self.given_up = self.given_up or self.in_a_row >= _IN_A_ROW


class _Stores:
    """What is read of the stores of a database in one check.

    A store that cannot be opened, or of which many objects in a row cannot be read, is given up:
    each try may take seconds, and lines of the log.
    """

    def __init__(self, engine: Engine, contents: Contents, *, buckets: bool) -> None:
        self._engine, self._contents, self._buckets = engine, contents, buckets
        self._stores: dict[int, _Store] = {}

    def reads(self, store_id: int | None, table: str, row_id: int) -> bool:
        """Whether an image is to be read; one that cannot be is counted."""
        if store_id is None:
            return True
        store = self._of(store_id)
        if store.given_up:
            store.fail(store.why, table, row_id)
        return not store.skipped and not store.given_up

    def read(self, held: KeptBytes, table: str, row_id: int) -> int:
        """Read and compare an image; how many bytes were read.

        Raises:
            ImageDamaged: They are not there, or are others.
        """
        store = None if held.store_id is None else self._of(held.store_id)
        try:
            content = self._contents.read(held)
        except StorageUnavailable as problem:
            if store is not None:
                store.fail(_why(problem), table, row_id)
            return 0
        if store is not None:
            store.in_a_row = 0
        return len(content)

    def unreadable(self) -> Iterator[Damage]:
        """What could not be compared, a place for each store."""
        for store in self._stores.values():
            if store.images:
                table, row_id = store.first
                said = f"images of {store.location} cannot be read now: {store.images}"
                yield Damage("store", f"{said} ({store.why}); the first:", table, (row_id,))

    def _of(self, store_id: int) -> _Store:
        if (known := self._stores.get(store_id)) is not None:
            return known
        of = select(ContentStoreRow.location).where(ContentStoreRow.id == store_id)
        try:
            with self._engine.connect() as connection:
                location = connection.scalar(of)
        except (Damaged, StorageUnavailable) as error:
            if not (isinstance(error, Damaged) or is_damage(error.__cause__)):
                raise
            location = None
        if location is None:
            found = _Store(f"the store {store_id}", given_up=True, why="its row cannot be read")
        elif folder_of(location) is None and not self._buckets:
            found = _Store(location, skipped=True)
        else:
            found = _Store(location)
            try:
                self._contents.store(store_id)
            except StorageUnavailable as problem:
                found.given_up, found.why = True, _why(problem)
        self._stores[store_id] = found
        return found


def _why(problem: StorageUnavailable) -> str:
    cause = problem.__cause__
    told = cause if isinstance(cause, StorageError) else problem.detail
    return str(told).removesuffix(AGAIN).rstrip(". ")
