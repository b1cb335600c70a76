"""History of a classifier's content: which changes there were, and what it was at a revision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from service.classifier_settings import ClassifierSettings
from service.storage.change import Identity
from service.storage.errors import Damaged
from service.storage.fingerprints import Origin
from service.storage.kept_support import KeptSupport, as_embedded
from service.storage.loaded_rows import loaded_support
from service.storage.recording import Recorded
from service.storage.records import ClassifierRecord
from service.storage.statements import chunks
from service.storage.tables import (
    ArchivedClassRow,
    ArchivedSupportRow,
    ClassRow,
    HistoryRow,
    ImageRow,
    SupportRow,
    ViewsRow,
    table_of,
)

_CLASSES, _SUPPORT = table_of(ClassRow).c, table_of(SupportRow).c
_OLD_CLASSES, _OLD = table_of(ArchivedClassRow).c, table_of(ArchivedSupportRow).c


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChange:
    """A change of the past.

    Attributes:
        revision: Of the content, after it.
        at: When it was made.
        key_id: Public id of the key that it was made with; None: without one.
        changed: What it changed, in short.
    """

    revision: int
    at: datetime
    key_id: str | None
    changed: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAt:
    """A class as it was.

    Attributes:
        class_id: Its id in the database then, which it may still have.
    """

    class_id: int
    label: str
    created_at: datetime
    annotations: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentAt:
    """What a classifier's content was at a revision.

    Attributes:
        settings: Of it.
        classes: In the order of their registration.
        staying: Public ids of images that have been there ever since, by their ids in the database.
        gone: Images that are not there any more, or in another class: by the class's id then.
    """

    settings: ClassifierSettings
    classes: list[ClassAt]
    staying: dict[int, str]
    gone: list[tuple[int, KeptSupport]]


@dataclass(frozen=True, slots=True)
class HistoryActor:
    """Recorder of who has made a change, in its entry of the history."""

    key_id: str

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Write it down."""
        session.execute(
            update(HistoryRow)
            .where(
                HistoryRow.classifier_id == recorded.classifier_id,
                HistoryRow.revision == recorded.content_revision,
            )
            .values(key_id=self.key_id)
        )


def past_changes(
    connection: Connection, classifier_id: int, limit: int, before: int | None
) -> list[PastChange]:
    """Changes of a classifier, the last first."""
    asked = select(HistoryRow.revision, HistoryRow.at, HistoryRow.key_id, HistoryRow.changed)
    asked = asked.where(HistoryRow.classifier_id == classifier_id)
    if before is not None:
        asked = asked.where(HistoryRow.revision < before)
    rows = connection.execute(asked.order_by(HistoryRow.revision.desc()).limit(limit))
    return [
        PastChange(revision=row.revision, at=row.at, key_id=row.key_id, changed=row.changed)
        for row in rows
    ]


def oldest_revision(connection: Connection, of: ClassifierRecord) -> int:
    """The first content revision that is known: that before the first change of the history."""
    first = connection.scalar(
        select(func.min(HistoryRow.revision)).where(HistoryRow.classifier_id == of.id)
    )
    return of.content_revision if first is None else first - 1


def content_at(
    connection: Connection, of: ClassifierRecord, own: Origin, revision: int
) -> ContentAt | None:
    """What a classifier's content was; None: that is not known any more, or not yet.

    Args:
        connection: In a transaction that sees one state of the database.
        of: The classifier as it is.
        own: Whose embeddings it holds.
        revision: Of the content.

    Raises:
        Damaged: Something in it cannot be read, or images lack embeddings of as many views as the
            classifier has now, or under its prompts.
    """
    if not oldest_revision(connection, of) <= revision <= of.content_revision:
        return None
    settings = connection.scalar(
        select(HistoryRow.settings_before)
        .where(
            HistoryRow.classifier_id == of.id,
            HistoryRow.revision > revision,
            HistoryRow.settings_before.is_not(None),
        )
        .order_by(HistoryRow.revision)
        .limit(1)
    )
    found = of.settings
    if settings is not None:
        if not isinstance(settings, dict):
            raise Damaged("settings in its history cannot be read")
        found = ClassifierSettings.model_validate({**settings, "support_views": 1})
        as_now = {name: getattr(of.settings, name) for name in ("support_views", "prompts")}
        found = found.model_copy(update=as_now)
    alive = _CLASSES.since_revision <= revision
    now = select(_CLASSES.id.label("class_id"), *map(_CLASSES.get, _FIELDS)).where(
        _CLASSES.classifier_id == of.id, alive
    )
    then = select(_OLD_CLASSES.class_id, *map(_OLD_CLASSES.get, _FIELDS)).where(
        _OLD_CLASSES.classifier_id == of.id,
        _OLD_CLASSES.since_revision <= revision,
        _OLD_CLASSES.until_revision > revision,
    )
    classes = [
        ClassAt(
            class_id=row.class_id,
            label=row.label,
            created_at=row.created_at,
            annotations=row.annotations,
        )
        for one in (now, then)
        for row in connection.execute(one)
    ]
    staying = connection.execute(
        select(_SUPPORT.id, _SUPPORT.public_id)
        .join(ClassRow, _SUPPORT.class_id == ClassRow.id)
        .where(ClassRow.classifier_id == of.id, _SUPPORT.since_revision <= revision)
    )
    return ContentAt(
        settings=found,
        classes=sorted(classes, key=attrgetter("class_id")),
        staying=dict(row._tuple() for row in staying),
        gone=_gone(connection, of, own, revision),
    )


_FIELDS = ("label", "created_at", "annotations")


def _gone(
    connection: Connection, of: ClassifierRecord, own: Origin, revision: int
) -> list[tuple[int, KeptSupport]]:
    ids = connection.scalars(
        select(_OLD.id)
        .where(
            _OLD.classifier_id == of.id,
            _OLD.since_revision <= revision,
            _OLD.until_revision > revision,
        )
        .order_by(_OLD.created_at, _OLD.id)
    ).all()
    views = of.settings.support_views
    columns = (
        *(_OLD[name] for name in ("id", "public_id", "class_id", "filename", "created_at")),
        _OLD.annotations,
        *(ImageRow.content_key, ImageRow.media_type, ImageRow.width, ImageRow.height),
        ImageRow.id.label("image_id"),
    )
    holds = ImageRow if views == 1 else ViewsRow
    asked = select(*columns, holds.fingerprint, holds.frozen, holds.corrected, holds.checksum)
    asked = asked.join(ImageRow, _OLD.image_id == ImageRow.id)
    if views > 1:
        asked = asked.outerjoin(
            ViewsRow, (ViewsRow.image_id == ImageRow.id) & (ViewsRow.views == views)
        )
    rows: dict[int, Any] = {}
    for some in chunks(ids):
        rows |= {row.id: row for row in connection.execute(asked.where(_OLD.id.in_(some)))}
    ordered = [rows[one] for one in ids]
    records, embeddings = loaded_support(connection, ordered, views, of.name, own)
    return [
        (
            row.class_id,
            KeptSupport(
                "",
                record,
                as_embedded(record, embeddings[place : place + 1], views, own),
                Identity(
                    public_id=row.public_id,
                    created_at=record.created_at,
                    annotations=row.annotations,
                ),
            ),
        )
        for place, (row, record) in enumerate(zip(ordered, records, strict=True))
    ]
