"""The archive: what changes have removed, as rows that keep their images for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from service.classifier_settings import ClassifierSettings
from service.storage.change import Change
from service.storage.deleting import letting_go
from service.storage.statements import chunks
from service.storage.tables import (
    ArchivedClassRow,
    ArchivedSupportRow,
    ClassifierRow,
    ClassRow,
    HistoryRow,
    SupportRow,
    table_of,
)

# Of each classifier: changes, and images that are gone. Beyond them the oldest are forgotten.
MOST_CHANGES, MOST_IMAGES = 1000, 20_000
# Labels that the history names of a change.
_NAMED = 20
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_CLASSES, _SUPPORT = table_of(ClassRow).c, table_of(SupportRow).c
_OLD_CLASSES, _OLD_SUPPORT = table_of(ArchivedClassRow), table_of(ArchivedSupportRow)
_HISTORY = table_of(HistoryRow)
_FROM_CLASS = ("label", "annotations", "created_at", "since_revision")
_FROM_SUPPORT = (
    "public_id",
    "class_id",
    "image_id",
    "filename",
    "annotations",
    "created_at",
    "since_revision",
)
_GIVEN: tuple[BindParameter[Any], ...] = (bindparam("of"), bindparam("until"))
_ARCHIVE_CLASSES = insert(_OLD_CLASSES).from_select(
    ["classifier_id", "until_revision", "class_id", *_FROM_CLASS],
    select(*_GIVEN, _CLASSES.id, *(_CLASSES[name] for name in _FROM_CLASS)).where(
        _CLASSES.id.in_(_SOME)
    ),
)
_OF_SUPPORT = select(*_GIVEN, *(_SUPPORT[name] for name in _FROM_SUPPORT))
_ARCHIVED = ["classifier_id", "until_revision", *_FROM_SUPPORT]
_ARCHIVE_SUPPORT = insert(_OLD_SUPPORT).from_select(
    _ARCHIVED, _OF_SUPPORT.where(_SUPPORT.id.in_(_SOME))
)
_ARCHIVE_WITH_CLASSES = insert(_OLD_SUPPORT).from_select(
    _ARCHIVED, _OF_SUPPORT.where(_SUPPORT.class_id.in_(_SOME))
)
_LABELS = select(_CLASSES.label).where(_CLASSES.id.in_(_SOME)).order_by(_CLASSES.id)
_IMAGES_OF_CLASSES = select(func.count()).where(_SUPPORT.class_id.in_(_SOME))


def write_history(
    session: Session,
    classifier_id: int,
    revision: int,
    change: Change,
    settings_before: dict[str, Any] | None = None,
    what: str = "changed",
) -> None:
    """Write down a change, and keep what it removes; before classes and images are changed.

    Args:
        session: Of its transaction.
        classifier_id: Whose.
        revision: Of the content, after it.
        change: What is asked for.
        settings_before: Those that it changes; None: it does not.
        what: Kind of change.
    """
    given = {"of": classifier_id, "until": revision}
    relabelled = sorted(change.relabelled)
    removed_labels: list[str] = []
    gone = len(change.removed)
    for some in chunks(change.classes_removed):
        removed_labels += session.scalars(_LABELS, {"some": some})
        gone += session.scalar(_IMAGES_OF_CLASSES, {"some": some}) or 0
        session.execute(_ARCHIVE_WITH_CLASSES, {**given, "some": some})
        session.execute(_ARCHIVE_CLASSES, {**given, "some": some})
    for some in chunks(change.removed):
        session.execute(_ARCHIVE_SUPPORT, {**given, "some": some})
    before: list[str] = []
    for some in chunks(relabelled):
        before += session.scalars(_LABELS, {"some": some})
        session.execute(_ARCHIVE_CLASSES, {**given, "some": some})
        session.execute(
            update(ClassRow).where(ClassRow.id.in_(some)).values(since_revision=revision)
        )
    after = {one.id: one.label for one in change.classes_renewed}
    changed = {
        "what": what,
        "reverted_to": change.reverts_to,
        "classes_added": [one.label for one in change.classes_added[:_NAMED]],
        "n_classes_added": len(change.classes_added),
        "classes_removed": removed_labels[:_NAMED],
        "n_classes_removed": len(removed_labels),
        "classes_renamed": dict(zip(before, [after[i] for i in relabelled], strict=True)),
        "images_added": len(change.added),
        "images_removed": gone,
        "settings": change.settings is not None,
    }
    session.execute(
        insert(_HISTORY),
        [
            {
                "classifier_id": classifier_id,
                "revision": revision,
                "at": datetime.now(UTC),
                "changed": changed,
                "settings_before": settings_before,
            }
        ],
    )
    if revision > MOST_CHANGES:
        forget(session, classifier_id, revision - MOST_CHANGES)
    if gone:
        over = session.scalar(
            select(_OLD_SUPPORT.c.until_revision)
            .where(_OLD_SUPPORT.c.classifier_id == classifier_id)
            .order_by(_OLD_SUPPORT.c.until_revision.desc())
            .offset(MOST_IMAGES)
            .limit(1)
        )
        if over is not None:
            forget(session, classifier_id, over)


def stored_settings(session: Session, classifier_id: int) -> dict[str, Any] | None:
    """The settings of a classifier as they are stored; None: it is gone."""
    columns = [getattr(ClassifierRow, name) for name in ClassifierSettings.model_fields]
    row = session.execute(select(*columns).where(ClassifierRow.id == classifier_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def forget(session: Session, classifier_id: int, until: int) -> None:
    """Let go of a classifier's history up to a revision, and of images that only it has kept."""
    mine = _HISTORY.c.classifier_id == classifier_id
    session.execute(delete(_HISTORY).where(mine, _HISTORY.c.revision <= until))
    old = (_OLD_SUPPORT.c.classifier_id == classifier_id, _OLD_SUPPORT.c.until_revision <= until)
    images = set(session.scalars(select(_OLD_SUPPORT.c.image_id).where(*old)))
    with letting_go(session, images):
        session.execute(delete(_OLD_SUPPORT).where(*old))
    session.execute(
        delete(_OLD_CLASSES).where(
            _OLD_CLASSES.c.classifier_id == classifier_id, _OLD_CLASSES.c.until_revision <= until
        )
    )
