"""A classifier as it is stored, whole, in a few statements: it is loaded again and again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from sqlalchemy import Connection, bindparam, select
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from service.storage.records import (
    ClassifierRecord,
    ClassifierSettings,
    ClassRecord,
    StoredClassifier,
    SupportRecord,
)
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
        ImageRow.frozen,
        ImageRow.corrected,
    )
    .join(ImageRow, SupportRow.image_id == ImageRow.id)
    .join(ClassRow, SupportRow.class_id == ClassRow.id)
    .where(ClassRow.classifier_id == bindparam("classifier_id"))
)


def load_classifier(connection: Connection, name: str) -> StoredClassifier | None:
    """A classifier with its classes, support images and embeddings, or None."""
    row = connection.execute(_CLASSIFIER, {"name": name}).one_or_none()
    if row is None:
        return None
    whose = {"classifier_id": row.id}
    class_rows = connection.execute(_CLASSES, whose).all()
    # Sorted here: the database would carry the embeddings along.
    rows = sorted(connection.execute(_SUPPORT, whose).all(), key=attrgetter("id"))
    return StoredClassifier(
        classifier_record(row, len(class_rows), len(rows)),
        _classes(class_rows),
        [
            SupportRecord(
                row.id,
                row.public_id,
                row.class_id,
                row.filename,
                row.sha256,
                sys.intern(row.media_type),
                row.width,
                row.height,
                row.created_at,
            )
            for row in rows
        ],
        ImageEmbeddings(
            embedding_rows([row.frozen for row in rows]),
            embedding_rows([row.corrected for row in rows]),
        ),
    )


def classifier_record(row: Any, n_classes: int, n_images: int) -> ClassifierRecord:
    """A row with the columns of :class:`ClassifierRow` as a plain value."""
    return ClassifierRecord(
        row.id,
        row.name,
        ClassifierSettings(
            row.method,
            tuple(row.templates),
            row.names_carry_meaning,
            row.false_rejection_rate,
            row.coverage,
        ),
        Tuning(**row.tuning),
        row.created_at,
        row.updated_at,
        n_classes,
        n_images,
        row.revision,
    )


def embedding_rows(blobs: Sequence[bytes]) -> Tensor:
    """Stack stored embeddings as (n, d) float32."""
    if not blobs:
        return torch.empty(0, 0)
    joined = np.frombuffer(bytearray().join(blobs), dtype="<f4")
    return torch.from_numpy(joined.reshape(len(blobs), -1))


def _classes(rows: Sequence[Any]) -> list[ClassRecord]:
    texts = iter(embedding_rows([r.text_embedding for r in rows if r.text_embedding is not None]))
    return [
        ClassRecord(
            row.id,
            row.label,
            row.created_at,
            None if row.text_embedding is None else next(texts),
        )
        for row in rows
    ]
