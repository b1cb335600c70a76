"""Rows of classes, within a transaction that writes a change: thousands at once cost little."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, select, update
from sqlalchemy.orm import Session

from service.storage.change import NewClass
from service.storage.records import ClassRecord
from service.storage.rows import blob
from service.storage.statements import chunks
from service.storage.tables import ClassRow, checksum, table_of

_CLASSES = table_of(ClassRow)
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_IDS = select(_CLASSES.c.label, _CLASSES.c.id).where(
    _CLASSES.c.classifier_id == bindparam("classifier_id"), _CLASSES.c.label.in_(_SOME)
)
_INSERT = insert(_CLASSES)
_RELABEL = (
    update(_CLASSES).where(_CLASSES.c.id == bindparam("of")).values(label=bindparam("new_label"))
)
_RENEW = (
    update(_CLASSES)
    .where(_CLASSES.c.id == bindparam("of"))
    .values(text_embedding=bindparam("text"), checksum=bindparam("of_text"))
)


def write_classes(
    session: Session, classifier_id: int, classes: Sequence[NewClass], revision: int = 0
) -> list[ClassRecord]:
    """Write new classes of a classifier, which are there from a content revision on.

    Returns:
        Their records, with new identifiers, in the order of the classes.
    """
    if not classes:
        return []
    now = datetime.now(UTC)
    rows = [
        {
            "classifier_id": classifier_id,
            "label": new.label,
            "text_embedding": blob(new.text),
            "since_revision": revision,
            "annotations": new.annotations,
            "created_at": new.created_at or now,
        }
        for new in classes
    ]
    session.execute(_INSERT, rows)
    ids: dict[str, int] = {}
    for some in chunks([new.label for new in classes]):
        found = session.execute(_IDS, {"classifier_id": classifier_id, "some": some})
        ids |= {row.label: row.id for row in found}
    return [
        ClassRecord(
            id=ids[new.label],
            label=new.label,
            created_at=new.created_at or now,
            text=new.text,
        )
        for new in classes
    ]


def write_texts(session: Session, classes: Sequence[ClassRecord]) -> None:
    """Write other text embeddings of classes."""
    if classes:
        texts = [(record.id, blob(record.text)) for record in classes]
        session.connection().execute(
            _RENEW, [{"of": of, "text": text, "of_text": checksum(text)} for of, text in texts]
        )


def labels_of(session: Session, class_ids: Sequence[int]) -> dict[int, str]:
    """Labels of classes by their ids; asks for nothing where there are none."""
    found: dict[int, str] = {}
    for some in chunks(class_ids):
        rows = session.execute(select(ClassRow.id, ClassRow.label).where(ClassRow.id.in_(some)))
        found |= {row.id: row.label for row in rows}
    return found


def write_labels(session: Session, classes: Sequence[ClassRecord]) -> None:
    """Write other labels of classes, which may be those that others of them had."""
    connection = session.connection()
    # No label begins with a space, so these are nobody's.
    aside = [{"of": one.id, "new_label": f" {one.id}"} for one in classes]
    for rows in (aside, [{"of": one.id, "new_label": one.label} for one in classes]):
        if rows:
            connection.execute(_RELABEL, rows)
