"""Bytes of images against their SHA-256, in the database and in the stores beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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
from service.storage.damage.finding import Damage
from service.storage.damage.rows import Pace
from service.storage.damage.structure import is_damage
from service.storage.errors import Damaged
from service.storage.tables import (
    ContentRow,
    RememberedContentRow,
)

logger = logging.getLogger("handful.storage")

_PAGE = 256
_ID: BindParameter[Any] = bindparam("of")
_AFTER: BindParameter[Any] = bindparam("after")


def _table(row_id: Any, held: Any) -> tuple[str, Any, Any]:
    """Name of a table by its key, a page of its ids, and by one of them the bytes and digest."""
    ids = select(row_id.label("id")).where(row_id > _AFTER).order_by(row_id).limit(_PAGE)
    return row_id.table.name, ids, held.where(row_id == _ID)


_TABLES = (
    _table(ContentRow.__table__.c.image_id, HELD),
    _table(RememberedContentRow.__table__.c.remembered_id, HELD_OF_REMEMBERED),
)


def damaged_images(
    engine: Engine, contents: Contents, pace: Pace, *, buckets: bool
) -> Iterator[Damage]:
    """Images whose bytes are not those of their digest; one is in memory at a time; blocks.

    Args:
        engine: Of the database.
        contents: Its images.
        pace: Called after each.
        buckets: Whether those in buckets are read, too, which has its price there.

    Raises:
        StorageUnavailable: The database cannot be used now, and not for its damage.
    """
    for table, ids, one in _TABLES:
        after = 0
        while True:
            try:
                with engine.connect() as connection:
                    found = connection.scalars(ids, {"after": after}).all()
            except StorageUnavailable as problem:
                if not is_damage(problem.__cause__):
                    raise
                yield Damage("structure", f"{table} cannot be read beyond {after}", table)
                break
            if not found:
                break
            for row_id in found:
                yield from _damaged(engine, contents, pace, table, one, row_id, buckets=buckets)
            after = found[-1]


def _damaged(
    engine: Engine,
    contents: Contents,
    pace: Pace,
    table: str,
    one: Select[Any],
    row_id: int,
    *,
    buckets: bool,
) -> Iterator[Damage]:
    try:
        with engine.connect() as connection:
            row = connection.execute(one, {"of": row_id}).one_or_none()
    except StorageUnavailable as problem:
        if not is_damage(problem.__cause__):
            raise
        yield Damage("image", "the bytes of an image cannot be read", table, (row_id,))
        return
    except (Damaged, TypeError) as error:
        yield Damage("row", f"where an image's bytes are cannot be read: {error}", table, (row_id,))
        return
    if row is None:  # deleted meanwhile
        return
    held = KeptBytes.of(row)
    try:
        if buckets or held.store_id is None or _is_folder(contents, held.store_id):
            pace(len(contents.read(held)))
    except ImageDamaged as problem:
        yield Damage("image", str(problem.detail), table, (row_id,))
    except StorageUnavailable as problem:
        logger.warning("bytes of images could not be compared: %s", problem.detail)


def _is_folder(contents: Contents, store_id: int) -> bool:
    return folder_of(contents.store(store_id).location) is not None
