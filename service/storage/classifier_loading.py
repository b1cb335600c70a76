"""A classifier as it is stored, whole, in a few statements: it is loaded again and again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select

from adapters.embeddings import ImageEmbeddings
from service.problems import ClassifierDamaged
from service.storage.errors import Damaged
from service.storage.fingerprints import Origin, other_backbone
from service.storage.records import ClassRecord, StoredClassifier, SupportRecord
from service.storage.rows import classifier_record, embedding_rows
from service.storage.tables import ClassifierRow, ClassRow, ImageRow, SupportRow

# Columns rather than objects of the mapping, which would cost several times as much to make.
_CLASSIFIER = select(*ClassifierRow.__table__.columns).where(
    ClassifierRow.name == bindparam("name")
)
_CLASSES = (
    select(ClassRow.id, ClassRow.label, ClassRow.created_at, ClassRow.text_embedding)
    .where(ClassRow.classifier_id == bindparam("classifier_id"))
    .order_by(ClassRow.id)
)
_SUPPORT = (
    select(
        SupportRow.id,
        SupportRow.public_id,
        SupportRow.class_id,
        SupportRow.filename,
        SupportRow.created_at,
        ImageRow.sha256,
        ImageRow.media_type,
        ImageRow.width,
        ImageRow.height,
        ImageRow.fingerprint,
        ImageRow.frozen,
        ImageRow.corrected,
    )
    .join(ImageRow, SupportRow.image_id == ImageRow.id)
    .join(ClassRow, SupportRow.class_id == ClassRow.id)
    .where(ClassRow.classifier_id == bindparam("classifier_id"))
)


def load_classifier(
    connection: Connection, name: str, own: Origin, *, left_by_others: bool = False
) -> StoredClassifier | None:
    """A classifier with its classes, support images and embeddings, or None.

    Args:
        connection: In a transaction that sees one state of the database.
        name: The classifier's.
        own: Whose embeddings are asked for.
        left_by_others: Whether the classifier's texts and tuning may be those of another backbone,
            to be made anew; its images may not.

    Raises:
        OtherBackbone: Another one embedded it, or images of it.
        ClassifierDamaged: Something in it cannot be read.
    """
    try:
        return _load(connection, name, own, left_by_others=left_by_others)
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error


def _load(
    connection: Connection, name: str, own: Origin, *, left_by_others: bool
) -> StoredClassifier | None:
    row = connection.execute(_CLASSIFIER, {"name": name}).one_or_none()
    if row is None:
        return None
    if row.fingerprint != own.fingerprint and not left_by_others:
        raise other_backbone(connection, f"Classifier {name!r} holds", row.fingerprint, own)
    whose = {"classifier_id": row.id}
    class_rows = connection.execute(_CLASSES, whose).all()
    # Sorted here: the database would carry the embeddings along.
    rows = sorted(connection.execute(_SUPPORT, whose).all(), key=attrgetter("id"))
    for image in rows:
        if image.fingerprint != own.fingerprint:
            what = f"Classifier {name!r} has an image with"
            raise other_backbone(connection, what, image.fingerprint, own)
    return StoredClassifier(
        record=classifier_record(row, len(class_rows), len(rows)),
        classes=_classes(class_rows),
        support=[_support(row) for row in rows],
        embeddings=ImageEmbeddings(
            embedding_rows([row.frozen for row in rows], "an image's embedding"),
            embedding_rows([row.corrected for row in rows], "an image's corrected embedding"),
        ),
    )


def _classes(rows: Sequence[Any]) -> list[ClassRecord]:
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


def _support(row: Any) -> SupportRecord:
    return SupportRecord(
        id=row.id,
        public_id=row.public_id,
        class_id=row.class_id,
        filename=row.filename,
        sha256=row.sha256,
        media_type=sys.intern(row.media_type),
        width=row.width,
        height=row.height,
        created_at=_time(row.created_at),
    )


def _time(stored: Any) -> datetime:
    if not isinstance(stored, datetime):
        raise Damaged("the time of a class or an image cannot be read")
    return stored
