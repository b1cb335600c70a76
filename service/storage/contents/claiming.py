"""Which store new bytes go to: known again by the marker that lies in it."""

from __future__ import annotations

import re
import uuid

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents.object_store import AGAIN, MARKER, ObjectMissing, ObjectStore
from service.storage.errors import StorageError
from service.storage.tables import ContentObjectRow, ContentStoreRow
from service.storage.transactions import writing

_WORDS = "images of Handful; do not delete, and do not change what lies beside\n"
_MARKER = re.compile(r"([0-9a-f]{32})\n")


def claim(engine: Engine, store: ObjectStore) -> int:
    """See that bytes can be written to a store and deleted from it, and mark it as this database's.

    A store that was moved or copied with all that is in it is the same one, elsewhere.

    Returns:
        The id of its row.

    Raises:
        StorageError: It cannot be used, or is not the one that it was.
    """
    try:
        _try_out(store)
        with writing(engine) as session:
            if engine.dialect.name == "postgresql":  # services that start together mark it once
                session.execute(text("LOCK TABLE content_stores IN SHARE ROW EXCLUSIVE MODE"))
            return _claimed(session, store)
    except (StorageFull, StorageUnavailable) as error:
        raise StorageError(
            f"images cannot be kept in {store.location}: "
            f"{str(error.detail).removesuffix(AGAIN)}"
            f"({' '.join(str(error.__cause__).split())[:300]})"
        ) from error


def marker_of(store: ObjectStore) -> str | None:
    """What a store is known by; None: nothing yet.

    Raises:
        StorageError: What lies in its place is no marker.
    """
    try:
        content = store.get(MARKER)
    except ObjectMissing:
        return None
    found = _MARKER.match(content.decode(errors="replace"))
    if found is None:
        raise StorageError(f"{MARKER} in {store.location} is not a marker of Handful")
    return found[1]


def write_marker(store: ObjectStore, marker: str) -> None:
    """Mark a store."""
    store.put(MARKER, f"{marker}\n{_WORDS}".encode())


def _try_out(store: ObjectStore) -> None:
    probe = f"{MARKER}.probe.{uuid.uuid4().hex}"
    store.put(probe, b"can it be written to?\n")
    store.delete([probe])


def _claimed(session: Session, store: ObjectStore) -> int:
    marker = marker_of(store)
    known = None
    if marker is not None:
        known = session.scalar(select(ContentStoreRow).where(ContentStoreRow.marker == marker))
    if known is None:
        _check_place(session, store)
        if marker is None:
            marker = uuid.uuid4().hex
            write_marker(store, marker)
        known = ContentStoreRow(marker=marker, location=store.location)
        session.add(known)
    elif known.location != store.location:
        known.location = store.location
    session.flush()
    return known.id


def _check_place(session: Session, store: ObjectStore) -> None:
    """See that no store with images was there before.

    Raises:
        StorageError: There was.
    """
    missing = session.scalar(
        select(func.count(ContentObjectRow.id))
        .join(ContentStoreRow, ContentObjectRow.store_id == ContentStoreRow.id)
        .where(ContentStoreRow.location == store.location, ContentObjectRow.unused_since.is_(None))
    )
    if missing:
        raise StorageError(
            f"{store.location} is not the store that it was: {missing} images of the database are "
            "not in it. Is its disk mounted, and is it the right endpoint? Put it back as it was"
        )
