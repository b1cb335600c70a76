"""Bytes put outside the database before the transaction that refers to them is committed.

An object's row is written first, in a transaction of its own, as one that nothing refers to. So
whenever the process dies there is a row for each object, and none refers to bytes that are not
there; what nothing refers to is swept (:mod:`service.storage.contents.sweeping`). Neither
keys nor ids of rows are ever used twice, so that who deletes an object never deletes what somebody
else has just put, and who comes late never refers to it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy import Engine, bindparam, select, update
from sqlalchemy.orm import Session

from service.images.embedded import Placed
from service.problems import StorageFull, StorageUnavailable
from service.storage.contents.object_store import ObjectStore, new_key
from service.storage.contents.sweeping import clear_away, doom
from service.storage.errors import StorageError
from service.storage.statements import chunks
from service.storage.tables import ContentObjectRow, table_of
from service.storage.transactions import writing

logger = logging.getLogger("handful.storage")

# Objects whose rows are written in one transaction; bytes that are in memory, beside one image.
_TOGETHER, _MOST_BYTES = 256, 2**25
_OBJECTS = table_of(ContentObjectRow)
_LOCK = (
    select(_OBJECTS.c.id)
    .where(_OBJECTS.c.id.in_(bindparam("some", expanding=True)), ~_OBJECTS.c.doomed)
    .order_by(_OBJECTS.c.id)
    .with_for_update()
)
_USED = (
    update(_OBJECTS)
    .where(_OBJECTS.c.id == bindparam("of"))
    .values(unused_since=None, nbytes=bindparam("size"))
)


@contextmanager
def placed(
    engine: Engine,
    store_id: int,
    store: ObjectStore,
    threads: ThreadPoolExecutor,
    at_a_time: int,
    contents: Mapping[str, Callable[[], bytes]],
) -> Iterator[dict[str, Placed]]:
    """Put bytes, for the block to refer to; what it does not refer to is cleared away after it.

    Args:
        engine: Of the database.
        store_id: The row of the store.
        store: Where they go.
        threads: Put them.
        at_a_time: How many of them are in memory.
        contents: What gives them, by their qualified SHA-256; called by this thread.

    Yields:
        Their objects by the same.

    Raises:
        StorageUnavailable, StorageFull: Some could not be put; all are swept later.
    """
    rows: dict[int, str] = {}
    found: dict[str, Placed] = {}
    late = True  # of a put that failed the bytes may still arrive
    try:
        asked = iter(contents.items())
        while some := dict(islice(asked, _TOGETHER)):
            ids = announce(engine, store_id, some)
            rows |= dict(ids.values())
            _put_all(store, threads, at_a_time, some, ids, found)
        late = False
        yield found
    finally:
        if not late:
            _clear_unused(engine, store, rows)


def refer(session: Session, objects: Collection[Placed]) -> None:
    """Let rows that the transaction writes refer to objects from now on.

    Raises:
        StorageUnavailable: Some were cleared away: they had waited for this for too long.
    """
    for some in chunks(sorted({one.id for one in objects})):
        if len(session.execute(_LOCK, {"some": some}).all()) != len(some):
            raise StorageUnavailable(
                "The bytes of an image were cleared away before the change was written, which had "
                "taken too long. Nothing was changed; send the request again."
            )
    session.connection().execute(_USED, [{"of": one.id, "size": one.nbytes} for one in objects])


def announce(
    engine: Engine, store_id: int, contents: Collection[str]
) -> dict[str, tuple[int, str]]:
    """Write rows of objects that are going to be put; their ids and keys by content."""
    keys = {content_key: new_key(content_key) for content_key in contents}
    now = datetime.now(UTC)
    with writing(engine) as session:
        made = [
            ContentObjectRow(store_id=store_id, key=key, nbytes=0, unused_since=now)
            for key in keys.values()
        ]
        session.add_all(made)
        session.flush()
        ids = {row.key: row.id for row in made}
    return {content_key: (ids[key], key) for content_key, key in keys.items()}


def _put_all(
    store: ObjectStore,
    threads: ThreadPoolExecutor,
    at_a_time: int,
    contents: Mapping[str, Callable[[], bytes]],
    ids: Mapping[str, tuple[int, str]],
    found: dict[str, Placed],
) -> None:
    under_way: deque[tuple[Future[None], int]] = deque()
    held = 0
    try:
        for content_key, read in contents.items():
            while len(under_way) >= at_a_time or held > _MOST_BYTES:
                first, size = under_way.popleft()
                first.result()
                held -= size
            content = read()
            row_id, key = ids[content_key]
            under_way.append((threads.submit(store.put, key, content), len(content)))
            held += len(content)
            found[content_key] = Placed(row_id, len(content))
        while under_way:
            under_way.popleft()[0].result()
    finally:
        for one, _ in under_way:  # none of them writes after this
            if not one.cancel():
                one.exception()


def _clear_unused(engine: Engine, store: ObjectStore, rows: Mapping[int, str]) -> None:
    """Clear away what the block has not referred to; what cannot be is swept later."""
    unused: list[int] = []
    try:
        with Session(engine) as session:
            for some in chunks(sorted(rows)):
                unused += session.scalars(
                    select(_OBJECTS.c.id).where(
                        _OBJECTS.c.id.in_(some), _OBJECTS.c.unused_since.is_not(None)
                    )
                )
        if unused:
            doomed = doom(engine, unused, None)
            clear_away(engine, store, {row_id: rows[row_id] for row_id in doomed})
    except (StorageFull, StorageUnavailable, StorageError) as problem:
        logger.warning("%d objects are left to be swept: %s", len(unused) or len(rows), problem)
