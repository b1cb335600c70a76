"""Classes and support images as they are read: columns, and the records made of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select

from adapters.embeddings import ImageEmbeddings
from service.storage.errors import Damaged
from service.storage.fingerprints import Origin, other_backbone
from service.storage.re_embedded import Blobs, re_embedded
from service.storage.records import ClassRecord, SupportRecord
from service.storage.rows import embedding_rows, image_embeddings
from service.storage.tables import ClassRow, ImageRow, SupportRow, ViewsRow, is_as_written
from service.tenancy import bare

# Columns rather than objects of the mapping, which would cost several times as much to make.
CLASSES = select(
    ClassRow.id, ClassRow.label, ClassRow.created_at, ClassRow.text_embedding, ClassRow.checksum
)
"""Classes, to be narrowed."""

RECORDS = select(
    SupportRow.id,
    SupportRow.public_id,
    SupportRow.class_id,
    SupportRow.filename,
    SupportRow.created_at,
    ImageRow.content_key,
    ImageRow.media_type,
    ImageRow.width,
    ImageRow.height,
).join(ImageRow, SupportRow.image_id == ImageRow.id)
"""Support images without their embeddings, to be narrowed."""

_IMAGE_ID = ImageRow.id.label("image_id")
_SUPPORT = RECORDS.add_columns(
    _IMAGE_ID, ImageRow.fingerprint, ImageRow.frozen, ImageRow.corrected, ImageRow.checksum
)
_WITH_VIEWS = RECORDS.outerjoin(
    ViewsRow, and_(ViewsRow.image_id == ImageRow.id, ViewsRow.views == bindparam("views"))
).add_columns(
    _IMAGE_ID, ViewsRow.fingerprint, ViewsRow.frozen, ViewsRow.corrected, ViewsRow.checksum
)


def support_of(views: int) -> Select[Any]:
    """Support images with both embeddings of so many views, to be narrowed; they stay a parameter.

    Args:
        views: The classifier's; to be executed with a parameter of that name.
    """
    return _SUPPORT if views == 1 else _WITH_VIEWS


def loaded_classes(rows: Sequence[Any]) -> list[ClassRecord]:
    """Rows of ``CLASSES`` as records, in their order.

    Raises:
        Damaged: Something in them cannot be read.
    """
    for row in rows:
        if not is_as_written(row.checksum, row.text_embedding):
            raise Damaged(
                f"the stored text embedding of class {row.label!r} is not the one that was written"
                " (its checksum differs)"
            )
    given = [row.text_embedding for row in rows if row.text_embedding is not None]
    texts = iter(embedding_rows(given, "the text embedding of a class"))
    return [
        ClassRecord(
            id=row.id,
            label=row.label,
            created_at=_time(row.created_at),
            text=None if row.text_embedding is None else next(texts),
        )
        for row in rows
    ]


def loaded_support(
    connection: Connection, rows: Sequence[Any], views: int, classifier: str, own: Origin
) -> tuple[list[SupportRecord], ImageEmbeddings]:
    """Rows of :func:`support_of` as records, in their order, and their embeddings.

    Args:
        connection: Of the transaction that found them.
        rows: Of one classifier.
        views: Its number of them.
        classifier: Its name.
        own: Whose embeddings are asked for.

    Raises:
        OtherBackbone: One of them has another's.
        Damaged: Something in them cannot be read.
    """
    embedded: Sequence[Any] = rows
    others = [row.image_id for row in rows if row.fingerprint != own.fingerprint]
    if others:
        beside = re_embedded(connection, others, views, own.fingerprint)
        embedded = [_embedded(connection, row, beside, classifier, own) for row in rows]
    return [loaded_record(row) for row in rows], image_embeddings(
        embedded, lambda place: f"image {rows[place].public_id}"
    )


def _embedded(
    connection: Connection, row: Any, beside: Mapping[int, Blobs], classifier: str, own: Origin
) -> Any:
    """What holds the embeddings of an image that are asked for."""
    if row.fingerprint == own.fingerprint:
        return row
    if (found := beside.get(row.image_id)) is not None:
        return found
    if own.beside is not None:
        raise Damaged("the embedding of an image under the prompts is missing")
    if row.fingerprint is None:
        raise Damaged("the embedding of an image's views is missing")
    what = f"Classifier {bare(classifier)!r} has an image with"
    raise other_backbone(connection, what, row.fingerprint, own)


def loaded_record(row: Any) -> SupportRecord:
    """A row of ``RECORDS`` or :func:`support_of` as a record.

    Raises:
        Damaged: Its time cannot be read.
    """
    return SupportRecord(
        id=row.id,
        public_id=row.public_id,
        class_id=row.class_id,
        filename=row.filename,
        sha256=bare(row.content_key),
        media_type=sys.intern(row.media_type),
        width=row.width,
        height=row.height,
        created_at=_time(row.created_at),
    )


def _time(stored: Any) -> datetime:
    if not isinstance(stored, datetime):
        raise Damaged("the time of a class or an image cannot be read")
    return stored
