"""Tables of bytes of images that are kept outside the database, in a folder or a bucket."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, column
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import Moment


def of_objects(table: str) -> Index:
    """The index of a table's rows by their objects; rows without one cost it nothing."""
    used = column("object_id").is_not(None)
    return Index(f"ix_{table}_object", "object_id", sqlite_where=used, postgresql_where=used)


class ContentStoreRow(Base):
    """A folder or bucket that has bytes of images, or had some.

    ``marker`` also lies in the store itself, by which it is known again: at another place, and
    when another one is in its place.
    """

    __tablename__ = "content_stores"

    id: Mapped[int] = mapped_column(primary_key=True)
    marker: Mapped[str] = mapped_column(String(32), unique=True)
    location: Mapped[str] = mapped_column(Text)


class ContentObjectRow(Base):
    """An object in a store: from before its bytes are put there until after they are deleted.

    ``key`` begins with tenant and SHA-256 and ends with a random number, so that none is ever used
    twice; no ``id`` is either, as a writer refers by it to what was perhaps swept meanwhile.
    ``unused_since`` is None while a row refers to it. Nobody may begin to refer to one that
    is ``doomed``.
    """

    __tablename__ = "content_objects"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("content_stores.id"), index=True)
    key: Mapped[str] = mapped_column(String(255), unique=True)
    nbytes: Mapped[int] = mapped_column(BigInteger)
    unused_since: Mapped[datetime | None] = mapped_column(Moment, index=True)
    doomed: Mapped[bool] = mapped_column(default=False)
