"""Two-phase clean-up of objects that no row refers to: doomed in the database, then deleted.

Nobody may begin to refer to an object that is doomed, which is checked under the lock of its row
(:func:`service.storage.contents.placing.refer`), and none that is referred to is doomed, which is
checked under the same lock. A sweep may be killed anywhere: the next one goes on with what is
doomed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from sqlalchemy import ColumnElement, Engine, delete, exists, select, update
from sqlalchemy.orm import Session

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents.object_store import ObjectStore
from service.storage.statements import chunks
from service.storage.tables import (
    ContentObjectRow,
    ContentRow,
    ContentStoreRow,
    RememberedContentRow,
    table_of,
)
from service.storage.transactions import writing

logger = logging.getLogger("handful.storage")

# Objects of one transaction, and of one request that deletes.
_TOGETHER = 500
_OBJECTS = table_of(ContentObjectRow)
_IMAGES, _REMEMBERED = table_of(ContentRow), table_of(RememberedContentRow)
# An hour at most between two sweeps; a tenth of the grace if that is less.
_MOST_PAUSE, _SHARE = 3600.0, 10


def _unreferenced() -> ColumnElement[bool]:
    return ~exists().where(_IMAGES.c.object_id == _OBJECTS.c.id) & ~exists().where(
        _REMEMBERED.c.object_id == _OBJECTS.c.id
    )


def note_unused(engine: Engine) -> int:
    """Write down since when objects are not referred to, of those that are not any more.

    Returns:
        How many these are.
    """
    with Session(engine) as session:
        found = session.scalars(
            select(_OBJECTS.c.id).where(_OBJECTS.c.unused_since.is_(None), _unreferenced())
        ).all()
    now = datetime.now(UTC)
    for start in range(0, len(found), _TOGETHER):
        some = found[start : start + _TOGETHER]
        with writing(engine, frees=True) as session:
            _lock(session, some)
            session.execute(
                update(_OBJECTS)
                .where(_OBJECTS.c.id.in_(some), _OBJECTS.c.unused_since.is_(None), _unreferenced())
                .values(unused_since=now)
            )
    return len(found)


def doom(engine: Engine, ids: Sequence[int], before: datetime | None) -> list[int]:
    """Let nobody begin to refer to objects that nothing refers to; returns which these are.

    Args:
        engine: Of the database.
        ids: Theirs.
        before: Since when nothing may have referred to them; None: that does not matter.
    """
    gone: list[int] = []
    for some in chunks(sorted(ids)):
        with writing(engine, frees=True) as session:
            # Who is about to refer to one has its lock, and has committed when this has got it:
            # the next statement sees what came of it.
            _lock(session, some)
            unused = select(_OBJECTS.c.id).where(
                _OBJECTS.c.id.in_(some), _OBJECTS.c.unused_since.is_not(None), _unreferenced()
            )
            if before is not None:
                unused = unused.where(_OBJECTS.c.unused_since < before)
            found = list(session.scalars(unused))
            session.execute(update(_OBJECTS).where(_OBJECTS.c.id.in_(found)).values(doomed=True))
        gone += found
    return gone


def clear_away(engine: Engine, store: ObjectStore, doomed: Mapping[int, str]) -> None:
    """Delete objects that are doomed, then their rows.

    Args:
        engine: Of the database.
        store: That they are in.
        doomed: Their keys by their rows.
    """
    for some in chunks(list(doomed)):
        store.delete([doomed[row_id] for row_id in some])
        with writing(engine, frees=True) as session:
            session.execute(delete(_OBJECTS).where(_OBJECTS.c.id.in_(some), _OBJECTS.c.doomed))


def sweep(engine: Engine, store_of: Callable[[int], ObjectStore], grace: timedelta) -> int:
    """Delete objects that nothing has referred to for a while.

    Args:
        engine: Of the database.
        store_of: Stores by their rows.
        grace: How long that is: longer than any change takes to be written.

    Returns:
        How many were deleted.

    Raises:
        StorageFull, StorageUnavailable: The database cannot be used.
    """
    note_unused(engine)
    before = datetime.now(UTC) - grace
    with Session(engine) as session:
        old = session.scalars(
            select(_OBJECTS.c.id).where(_OBJECTS.c.unused_since < before, ~_OBJECTS.c.doomed)
        ).all()
    doom(engine, old, before)
    swept = 0
    with Session(engine) as session:
        stores = session.scalars(select(ContentStoreRow.id)).all()
    for store_id in stores:
        try:
            while some := _doomed(engine, store_id):
                clear_away(engine, store_of(store_id), some)
                swept += len(some)
        except StorageUnavailable as problem:
            logger.warning("images that are gone could not be deleted: %s", problem.detail)
    return swept


class Sweeper:
    """Sweeps now and then in a thread, until it is closed.

    Args:
        engine: Of the database.
        store_of: Stores by their rows.
        grace: How long bytes are kept that nothing refers to.
    """

    def __init__(
        self, engine: Engine, store_of: Callable[[int], ObjectStore], grace: timedelta
    ) -> None:
        self._engine, self._store_of, self._grace = engine, store_of, grace
        self._pause = min(_MOST_PAUSE, grace.total_seconds() / _SHARE)
        self._closed = Event()
        self._thread = Thread(target=self._run, name="sweeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, behind what is being deleted now."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._pause):
            try:
                if swept := sweep(self._engine, self._store_of, self._grace):
                    logger.info("%d images that are gone were deleted from their store", swept)
            except (StorageFull, StorageUnavailable) as problem:
                logger.warning("images that are gone could not be deleted: %s", problem.detail)
            except Exception:
                logger.exception("images that are gone cannot be deleted")


def _lock(session: Session, ids: Sequence[int]) -> None:
    session.execute(
        select(_OBJECTS.c.id)
        .where(_OBJECTS.c.id.in_(ids))
        .order_by(_OBJECTS.c.id)
        .with_for_update()
    )


def _doomed(engine: Engine, store_id: int) -> dict[int, str]:
    with Session(engine) as session:
        found = session.execute(
            select(_OBJECTS.c.id, _OBJECTS.c.key)
            .where(_OBJECTS.c.store_id == store_id, _OBJECTS.c.doomed)
            .limit(_TOGETHER)
        )
        return {row.id: row.key for row in found}
