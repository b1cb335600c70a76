"""Where a row says that the bytes of an image are."""

from __future__ import annotations

from typing import Any, NamedTuple

from service.storage.tables import ContentObjectRow, ContentRow, RememberedContentRow


class KeptBytes(NamedTuple):
    """The bytes of an image, or where they are.

    Attributes:
        content: They themselves, where they are in the database; else empty.
        store_id: The store that they are in; None: the database.
        key: Of their object there.
        nbytes: How many there are.
    """

    content: bytes
    store_id: int | None = None
    key: str | None = None
    nbytes: int = 0

    @classmethod
    def of(cls, row: Any) -> KeptBytes:
        """Of a row of :data:`HELD` or :data:`HELD_OF_REMEMBERED`."""
        return cls(row.content, row.store_id, row.key, row.nbytes or len(row.content))


#: Columns for :meth:`KeptBytes.of`, of a statement with an outer join by :data:`OBJECT`.
HELD = (
    ContentRow.content,
    ContentObjectRow.store_id,
    ContentObjectRow.key,
    ContentObjectRow.nbytes,
)
OBJECT = ContentObjectRow.id == ContentRow.object_id
#: The same of remembered queries.
HELD_OF_REMEMBERED = (
    RememberedContentRow.content,
    ContentObjectRow.store_id,
    ContentObjectRow.key,
    ContentObjectRow.nbytes,
)
OBJECT_OF_REMEMBERED = ContentObjectRow.id == RememberedContentRow.object_id
