"""Images with bytes of their own digest, written to a store of classifiers with its contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.images.embedded import SupportImage
from service.storage.contents import Contents
from service.storage.contents.object_store import MARKER
from service.storage.store import Store
from service.storage.tables import ContentObjectRow, ContentRow, RememberedContentRow
from tests.service.stored import OWN, support, write


def picture(seed: int) -> bytes:
    return f"bytes of picture {seed}\n".encode() * 40


def image(seed: int, label: str = "ant") -> SupportImage:
    content = picture(seed)
    return support(seed, label, read=lambda: content, sha256=hashlib.sha256(content).hexdigest())


def store_with(engine: Engine, location: str | None, seconds: float = 2.0) -> Store:
    return Store(engine, OWN, contents=Contents.opened(engine, location, seconds))


def add(store: Store, name: str, *images: SupportImage) -> list[int]:
    """Add images as a registration does; returns the ids of the support images."""
    with store.placed(name, images) as put:
        return [record.id for record in write(store, name, added=tuple(put)).support]


def files(folder: Path) -> set[str]:
    """Keys of all objects in a folder, but for its marker."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return found - {MARKER}


def referred(engine: Engine) -> set[str]:
    """Keys of objects that a row refers to."""
    with Session(engine) as session:
        return {
            key
            for table in (ContentRow, RememberedContentRow)
            for key in session.scalars(
                select(ContentObjectRow.key).join(table, table.object_id == ContentObjectRow.id)
            )
        }
