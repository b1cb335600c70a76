"""Notes and metadata of classifiers, classes and images: read, and written as a change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from service.storage.tables import ClassifierRow, ClassRow, SupportRow

Annotations = dict[str, Any]
"""``{"notes": str, "metadata": {str: str}}``; None: neither."""


def annotations_of_classes(connection: Connection, classifier_id: int) -> dict[str, Annotations]:
    """Those of the classes that have some, by label."""
    rows = connection.execute(
        select(ClassRow.label, ClassRow.annotations).where(
            ClassRow.classifier_id == classifier_id, ClassRow.annotations.is_not(None)
        )
    )
    return {label: found for label, found in rows if isinstance(found, dict)}


def annotations_of_images(connection: Connection, class_id: int) -> dict[int, Annotations]:
    """Those of the images of a class that have some, by their ids in the database."""
    rows = connection.execute(
        select(SupportRow.id, SupportRow.annotations).where(
            SupportRow.class_id == class_id, SupportRow.annotations.is_not(None)
        )
    )
    return {support_id: found for support_id, found in rows if isinstance(found, dict)}


def write_annotations(
    session: Session,
    classifier_id: int,
    class_id: int | None,
    support_id: int | None,
    annotations: Annotations | None,
) -> None:
    """Write those of an image, or of a class, or of the classifier itself."""
    if support_id is not None:
        statement = update(SupportRow).where(SupportRow.id == support_id)
    elif class_id is not None:
        statement = update(ClassRow).where(ClassRow.id == class_id)
    else:
        statement = update(ClassifierRow).where(ClassifierRow.id == classifier_id)
    session.execute(statement.values(annotations=annotations))
