"""Support images that came by annotations: known as such from the change on that brings them.

Images that a classifier had already, or was given by others, are none of them and never removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, insert, select, tuple_
from sqlalchemy.orm import Session

from service.storage.class_rows import labels_of
from service.storage.recording import Recorded
from service.storage.statements import chunks
from service.storage.tables import ClassRow, HeldRow, LearntRow, SupportRow
from service.storage.transactions import writing


class HeldAgain(Exception):
    """An image that was to be removed is held again by an annotation; nothing was removed."""


def record_learnt(session: Session, recorded: Recorded) -> None:
    """Recorder of a change that adds images of annotations."""
    if recorded.written is None or not recorded.written.support:
        return
    added = recorded.written.support
    labels = labels_of(session, sorted({one.class_id for one in added}))
    rows = [
        {
            "classifier_id": recorded.classifier_id,
            "sha256": one.sha256,
            "label": labels[one.class_id],
            "public_id": one.public_id,
        }
        for one in added
    ]
    # Rows of images that others have removed since stand in the way.
    for some in chunks(rows):
        keys = [(row["sha256"], row["label"]) for row in some]
        session.execute(
            delete(LearntRow).where(
                LearntRow.classifier_id == recorded.classifier_id,
                tuple_(LearntRow.sha256, LearntRow.label).in_(keys),
            )
        )
    session.execute(insert(LearntRow), rows)


class Removal:
    """Recorder of a change that removes images which no annotation holds.

    Args:
        public_ids: Of the images.
    """

    def __init__(self, public_ids: Sequence[str]) -> None:
        self._ids = public_ids

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Forget them, in the transaction of the change.

        Raises:
            HeldAgain: One of them is held again.
        """
        for some in chunks(self._ids):
            mine = and_(
                LearntRow.classifier_id == recorded.classifier_id, LearntRow.public_id.in_(some)
            )
            if session.scalar(select(LearntRow.public_id).where(mine, _is_held()).limit(1)):
                raise HeldAgain
            session.execute(delete(LearntRow).where(mine))


def unheld(engine: Engine, classifier_id: int, most: int) -> list[str]:
    """Public ids of images that came by annotations of which none holds them any more."""
    mine = LearntRow.classifier_id == classifier_id
    asked = select(LearntRow.public_id).where(mine, ~_is_held()).order_by(LearntRow.public_id)
    with Session(engine) as session:
        return list(session.scalars(asked.limit(most)))


def with_unheld(engine: Engine) -> list[int]:
    """Ids of the classifiers that have such images; looks at all."""
    with Session(engine) as session:
        return list(session.scalars(select(LearntRow.classifier_id).where(~_is_held()).distinct()))


def forget(engine: Engine, classifier_id: int, public_id: str) -> bool:
    """Let go of an image that others have removed; whether it is not there any more."""
    there = (
        select(SupportRow.id)
        .join(ClassRow, ClassRow.id == SupportRow.class_id)
        .where(SupportRow.public_id == public_id, ClassRow.classifier_id == classifier_id)
    )
    with writing(engine) as session:
        if session.scalar(there) is not None:
            return False
        session.execute(
            delete(LearntRow).where(
                LearntRow.classifier_id == classifier_id, LearntRow.public_id == public_id
            )
        )
        return True


def _is_held() -> ColumnElement[bool]:
    return exists().where(
        HeldRow.classifier_id == LearntRow.classifier_id,
        HeldRow.sha256 == LearntRow.sha256,
        HeldRow.label == LearntRow.label,
    )
