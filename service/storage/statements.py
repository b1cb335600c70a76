"""Statements that are more than a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Update, bindparam, case, func, select, update

from service.storage.tables import BackboneRow, ClassifierRow, ClassRow, SupportRow

if TYPE_CHECKING:  # they need PyTorch, and commands that move rows alone do not
    from service.storage.change import Change
    from service.storage.records import State

# Identifiers in one IN (...): databases limit the parameters of a statement.
_CHUNK = 500
_T = TypeVar("_T")

N_IMAGES = (
    select(func.count())
    .select_from(SupportRow)
    .join(ClassRow, SupportRow.class_id == ClassRow.id)
    .where(ClassRow.classifier_id == ClassifierRow.id)
    .correlate(ClassifierRow)
    .scalar_subquery()
)
"""How many images a classifier has."""

LISTING = (
    select(
        ClassifierRow,
        BackboneRow.name.label("backbone"),
        select(func.count())
        .where(ClassRow.classifier_id == ClassifierRow.id)
        .correlate(ClassifierRow)
        .scalar_subquery(),
        N_IMAGES,
    )
    .outerjoin(BackboneRow, BackboneRow.fingerprint == ClassifierRow.fingerprint)
    .order_by(ClassifierRow.name)
)
"""All classifiers, each with its backbone's name and its numbers of classes and of images."""


STATE = select(
    ClassifierRow.id,
    ClassifierRow.created_at,
    ClassifierRow.revision,
    ClassifierRow.fingerprint,
    ClassifierRow.content_revision,
).where(ClassifierRow.name == bindparam("name"))
"""What a :class:`service.storage.records.State` is of, and whose it is, by the name."""


def next_revision(state: State) -> Update:
    """The next revision of a classifier, if it is in that state and of that fingerprint.

    The check of optimistic concurrency: where another change came first, no row is updated.
    """
    return (
        update(ClassifierRow)
        .where(
            ClassifierRow.id == state.id,
            ClassifierRow.fingerprint == state.fingerprint,
            ClassifierRow.created_at == state.created_at,
            ClassifierRow.revision == state.revision,
        )
        .values(revision=ClassifierRow.revision + 1)
    )


def stale_columns(change: Change) -> dict[str, Any]:
    """Columns of a classifier whose tuning a change leaves behind."""
    behind = ClassifierRow.images_behind + (len(change.added) + len(change.removed))
    if change.classes_removed:
        with_class = select(func.count()).where(SupportRow.class_id.in_(change.classes_removed))
        behind += with_class.scalar_subquery()
    stale_since = case(
        (ClassifierRow.tuning_is_current, datetime.now(UTC)), else_=ClassifierRow.tuning_since
    )
    return {"tuning_is_current": False, "tuning_since": stale_since, "images_behind": behind}


def chunks(items: Sequence[_T]) -> list[Sequence[_T]]:
    """Items in groups, each of which one statement can take."""
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
