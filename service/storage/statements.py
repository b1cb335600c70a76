"""Statements that are more than a line."""

from __future__ import annotations

from sqlalchemy import Update, bindparam, delete, exists, func, select, update

from service.storage.records import State
from service.storage.tables import ClassifierRow, ClassRow, ImageRow, SupportRow

LISTING = (
    select(
        ClassifierRow,
        select(func.count())
        .where(ClassRow.classifier_id == ClassifierRow.id)
        .correlate(ClassifierRow)
        .scalar_subquery(),
        select(func.count())
        .select_from(SupportRow)
        .join(ClassRow, SupportRow.class_id == ClassRow.id)
        .where(ClassRow.classifier_id == ClassifierRow.id)
        .correlate(ClassifierRow)
        .scalar_subquery(),
    )
).order_by(ClassifierRow.name)
"""All classifiers, each with its numbers of classes and of images."""


STATE = select(ClassifierRow.id, ClassifierRow.created_at, ClassifierRow.revision).where(
    ClassifierRow.name == bindparam("name")
)
"""What a :class:`service.storage.records.State` is of, by the classifier's name."""

DELETE_UNUSED_IMAGES = delete(ImageRow).where(~exists().where(SupportRow.image_id == ImageRow.id))


def next_revision(classifier_id: int, state: State | None) -> Update:
    """The next revision of a classifier, if it is in that state."""
    next_one = update(ClassifierRow).where(ClassifierRow.id == classifier_id)
    if state is not None:
        next_one = next_one.where(
            ClassifierRow.created_at == state.created_at, ClassifierRow.revision == state.revision
        )
    return next_one.values(revision=ClassifierRow.revision + 1)
