"""What has become of a classifier since a state that somebody holds in memory."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from service.storage.change import Written
from service.storage.change_log import NetChange, changes_since
from service.storage.errors import Damaged
from service.storage.fingerprints import Origin
from service.storage.loaded_rows import CLASSES, loaded_classes, loaded_support, support_of
from service.storage.records import State
from service.storage.rows import stored_tuning
from service.storage.statements import chunks
from service.storage.tables import ClassifierRow, ClassRow, SupportRow

_CLASSIFIER = select(
    ClassifierRow.name,
    ClassifierRow.method,
    ClassifierRow.support_views,
    ClassifierRow.fingerprint,
    ClassifierRow.tuning,
    ClassifierRow.tuning_is_current,
    ClassifierRow.revision,
    ClassifierRow.content_revision,
    ClassifierRow.created_at,
)


def written_since(connection: Connection, state: State, own: Origin) -> Written | None:
    """The net effect of all changes after a state; costs what they changed.

    Args:
        connection: In a transaction that sees one state of the database.
        state: The one that the reader holds.
        own: Whose embeddings the reader holds.

    Returns:
        What to apply to be in the latest state. None where the classifier is to be read anew,
        which also tells what is damaged in it, or that it is gone.

    Raises:
        OtherBackbone: Another one embedded images that were added.
    """
    try:
        return _written_since(connection, state, own)
    except Damaged:
        return None


def _written_since(connection: Connection, state: State, own: Origin) -> Written | None:
    row = connection.execute(_CLASSIFIER.where(ClassifierRow.id == state.id)).one_or_none()
    if row is None or row.created_at != state.created_at:
        return None
    if row.fingerprint != state.fingerprint:
        return None  # to be read anew, which tells whether it can be
    net = changes_since(connection, state, row.revision)
    return None if net is None else _fetched(connection, row, net, own)


def _fetched(connection: Connection, row: Any, net: NetChange, own: Origin) -> Written:
    classes = [
        found
        for some in chunks(net.classes_added)
        for found in connection.execute(CLASSES.where(ClassRow.id.in_(some)))
    ]
    support_rows = support_of(row.support_views)
    # Those that went with their class are not found.
    images = [
        found
        for some in chunks(net.support_added)
        for found in connection.execute(
            support_rows.where(SupportRow.id.in_(some)), {"views": row.support_views}
        )
    ]
    ordered = sorted(images, key=attrgetter("id"))
    support, embeddings = loaded_support(connection, ordered, row.support_views, row.name, own)
    return Written(
        revision=row.revision,
        content_revision=row.content_revision,
        # It may be stale again; the reader has an older one still.
        tuning=stored_tuning(row) if net.tuned else None,
        tuning_is_current=row.tuning_is_current,
        classes=loaded_classes(sorted(classes, key=attrgetter("id"))),
        classes_removed=net.classes_removed,
        support=support,
        embeddings=embeddings if support else None,
        removed=net.support_removed,
    )
