"""Where a row says that the bytes of an image are."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select

from service.storage.tables import (
    ContentObjectRow,
    ContentRow,
    ImageRow,
    RememberedContentRow,
    RememberedRow,
)
from service.tenancy import bare


class KeptBytes(NamedTuple):
    """The bytes of an image, or where they are.

    Attributes:
        content: They themselves, where they are in the database; else empty.
        store_id: The store that they are in; None: the database.
        key: Of their object there.
        nbytes: How many there are.
        digest: Their SHA-256, where they are in the database; None: nobody has asked for it.
    """

    content: bytes
    store_id: int | None = None
    key: str | None = None
    nbytes: int = 0
    digest: str | None = None

    @classmethod
    def of(cls, row: Any, digest: str | None = None) -> KeptBytes:
        """Of a row of :data:`HELD` or :data:`HELD_OF_REMEMBERED`, or of a digest beside one."""
        nbytes = row.nbytes or len(row.content)
        digest = row.digest if digest is None else digest
        return cls(row.content, row.store_id, row.key, nbytes, bare(digest))


OBJECT = ContentObjectRow.id == ContentRow.object_id
#: Selects what :meth:`KeptBytes.of` reads, of images; where it is to be of some of them alone.
HELD = (
    select(
        ContentRow.content,
        ContentObjectRow.store_id,
        ContentObjectRow.key,
        ContentObjectRow.nbytes,
        ImageRow.content_key.label("digest"),
    )
    .join(ImageRow, ImageRow.id == ContentRow.image_id)
    .outerjoin(ContentObjectRow, OBJECT)
)
#: The same of remembered queries.
HELD_OF_REMEMBERED = (
    select(
        RememberedContentRow.content,
        ContentObjectRow.store_id,
        ContentObjectRow.key,
        ContentObjectRow.nbytes,
        RememberedRow.sha256.label("digest"),
    )
    .join(RememberedRow, RememberedRow.id == RememberedContentRow.remembered_id)
    .outerjoin(ContentObjectRow, ContentObjectRow.id == RememberedContentRow.object_id)
)
