"""Support images that are to be support images elsewhere: with embeddings, and what they keep."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn

from sqlalchemy import ColumnElement, Connection, select

from adapters.embeddings import ImageEmbeddings
from service.images.embedded import EmbeddedImage
from service.storage.change import Identity
from service.storage.fingerprints import Origin
from service.storage.loaded_rows import loaded_support, support_of
from service.storage.records import PUBLIC_ID, ClassifierRecord, SupportRecord
from service.storage.statements import chunks
from service.storage.tables import ClassRow, SupportRow


class KeptSupport(NamedTuple):
    """A support image as it is stored.

    Attributes:
        label: Of its class.
        record: Of the image.
        image: With its embeddings.
        identity: What it keeps.
    """

    label: str
    record: SupportRecord
    image: EmbeddedImage
    identity: Identity


def kept_support(
    connection: Connection,
    of: ClassifierRecord,
    own: Origin,
    *,
    public_ids: Sequence[str] | None = None,
    class_ids: Sequence[int] | None = None,
) -> list[KeptSupport]:
    """Support images of a classifier, in the order of their registration.

    Args:
        connection: In a transaction that sees one state of the database.
        of: The classifier.
        own: Whose embeddings it holds.
        public_ids: Those that are asked for; None: all.
        class_ids: Those of these classes; None: of all.
    """
    found = select(SupportRow.id, SupportRow.annotations, ClassRow.label).join(
        ClassRow, SupportRow.class_id == ClassRow.id
    )
    found = found.where(ClassRow.classifier_id == of.id)
    parts: list[ColumnElement[bool]] = []
    if public_ids is not None:
        ids = list(filter(PUBLIC_ID.fullmatch, public_ids))
        parts = [SupportRow.public_id.in_(some) for some in chunks(ids)]
    elif class_ids is not None:
        parts = [SupportRow.class_id.in_(some) for some in chunks(class_ids)]
    statements = [found.where(part) for part in parts] if parts else [found]
    if (public_ids is not None or class_ids is not None) and not parts:
        return []
    told = {row.id: row for one in statements for row in connection.execute(one)}
    views = of.settings.support_views
    rows: list[Any] = []
    for some in chunks(sorted(told)):
        asked = support_of(views).where(SupportRow.id.in_(some))
        rows += connection.execute(asked, {"views": views}).all()
    rows.sort(key=attrgetter("id"))
    records, embeddings = loaded_support(connection, rows, views, of.name, own)
    return [
        KeptSupport(
            told[record.id].label,
            record,
            as_embedded(record, embeddings[place : place + 1], views, own),
            Identity(
                public_id=record.public_id,
                created_at=record.created_at,
                annotations=told[record.id].annotations,
            ),
        )
        for place, record in enumerate(records)
    ]


def as_embedded(
    record: SupportRecord, row: ImageEmbeddings, views: int, own: Origin
) -> EmbeddedImage:
    """A stored image as one that is to be added; nobody reads its bytes."""
    return EmbeddedImage(
        filename=record.filename,
        read=_not_read,
        sha256=record.sha256,
        media_type=record.media_type,
        width=record.width,
        height=record.height,
        fingerprint=own.fingerprint,
        embeddings=row,
        views=views,
    )


def _not_read() -> NoReturn:
    raise RuntimeError("the bytes of an image that is stored are not written again")
