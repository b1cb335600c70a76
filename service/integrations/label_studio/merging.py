"""Merging of what webhooks say into the annotations that are known.

Webhooks come late, twice and in any order. Merged they make the same rows in any order: of an
annotation the newest version counts, a deletion is final, and that of a task is one of all its
annotations, also of those that are heard of later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.integrations.label_studio.events import Event
from service.storage.statements import chunks
from service.storage.tables import AnnotationRow

_Rows = dict[tuple[str, int], AnnotationRow]


def merge(
    session: Session,
    classifier_id: int,
    events: Sequence[Event],
    told_by: Mapping[str, Any] | None,
) -> int:
    """Merge events; returns how many annotations are wanted otherwise by them.

    Args:
        session: Of the transaction.
        classifier_id: Whose they are.
        events: In any order.
        told_by: Who has said it, for the audit log.
    """
    now = datetime.now(UTC)
    rows = _rows(session, classifier_id, events)
    changed = 0
    for event in events:
        row = rows.get((event.project, event.annotation))
        if row is None:
            row = rows[event.project, event.annotation] = _new(classifier_id, event)
            session.add(row)
        task = event.task if event.task is not None else row.task
        of = None if task is None else rows.get((event.project, -task))
        if not _merged(row, event, told_by, gone=of is not None and of.deleted):
            continue
        _due(row, now)
        changed += 1
        if event.annotation < 0:
            session.flush()  # those that were just added are among its annotations
            changed += _all_of_task(session, row, now)
    return changed


def to_be_learnt(session: Session, classifier_id: int, events: Sequence[Event]) -> int:
    """Of how many annotations images are to be learnt by events that are not merged yet.

    Args:
        session: Of a transaction, which reads alone.
        classifier_id: Whose they are.
        events: In any order.
    """
    labelled = [event for event in events if event.labels and not event.deleted]
    rows = _rows(session, classifier_id, labelled, lock=False)
    fresh = set()
    for event in labelled:
        row = rows.get((event.project, event.annotation))
        if row is None or not (
            row.deleted or (row.updated_at is not None and _version(event) <= _version(row))
        ):
            fresh.add((event.project, event.annotation))
    return len(fresh)


def _merged(
    row: AnnotationRow, event: Event, told_by: Mapping[str, Any] | None, *, gone: bool
) -> bool:
    """Merge an event into its row; whether that is wanted otherwise then."""
    row.task = event.task if event.task is not None else row.task
    if row.deleted:
        return False
    if event.deleted or gone:
        _delete(row)
    else:
        if row.updated_at is not None and _version(event) <= _version(row):
            return False
        row.updated_at, row.problem = event.updated_at, event.problem
        row.labels, row.image = event.labels, event.image
    row.told_by = None if told_by is None else dict(told_by)
    return True


def _version(one: Event | AnnotationRow) -> tuple[Any, ...]:
    """Of two that say the same time, whichever comes first, the same one counts."""
    return one.updated_at, tuple(one.labels), one.image or ""


def _rows(
    session: Session, classifier_id: int, events: Sequence[Event], *, lock: bool = True
) -> _Rows:
    """Rows of annotations, and of their tasks that were deleted, locked or not."""
    found: _Rows = {}
    for project in sorted({event.project for event in events}):
        ids = {event.annotation for event in events if event.project == project}
        ids |= {-event.task for event in events if event.project == project and event.task}
        for some in chunks(sorted(ids)):
            asked = (
                select(AnnotationRow)
                .where(
                    AnnotationRow.classifier_id == classifier_id,
                    AnnotationRow.project == project,
                    AnnotationRow.annotation.in_(some),
                )
                .order_by(AnnotationRow.annotation)
            )
            rows = session.scalars(asked.with_for_update() if lock else asked)
            found |= {(row.project, row.annotation): row for row in rows}
    return found


def _all_of_task(session: Session, task: AnnotationRow, now: datetime) -> int:
    """Delete all annotations of a deleted task."""
    of = session.scalars(
        select(AnnotationRow).where(
            AnnotationRow.classifier_id == task.classifier_id,
            AnnotationRow.project == task.project,
            AnnotationRow.task == task.task,
            AnnotationRow.annotation > 0,
            ~AnnotationRow.deleted,
        )
    ).all()
    for row in of:
        _delete(row)
        _due(row, now)
    return len(of)


def _new(classifier_id: int, event: Event) -> AnnotationRow:
    return AnnotationRow(
        classifier_id=classifier_id,
        project=event.project,
        annotation=event.annotation,
        deleted=False,
        labels=(),
        wanted=0,
        done=0,
        tries=0,
    )


def _delete(row: AnnotationRow) -> None:
    row.deleted, row.labels, row.image, row.problem = True, (), None, None


def _due(row: AnnotationRow, now: datetime) -> None:
    row.wanted += 1
    row.tries, row.due_at = 0, now
