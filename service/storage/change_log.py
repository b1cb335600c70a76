"""The log of changes: what led to each of a classifier's last revisions, as identifiers.

Who holds an earlier revision in memory reads from it which rows to fetch and which to let go of
(:mod:`service.storage.following`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from service.storage.change import Change, Written
from service.storage.records import State
from service.storage.tables import ChangeRow, Unreadable, table_of

# Revisions of each classifier that are kept: a reader further behind reads the classifier anew.
KEPT = 256
# Identifiers that one revision lists at most: about as many rows are read anew as quickly.
MOST_LISTED = 5000

# Made once, and of the table rather than of its mapping: every change executes them.
_LOG = table_of(ChangeRow)
_WRITE = insert(_LOG)
_FORGET = delete(_LOG).where(
    _LOG.c.classifier_id == bindparam("of"), _LOG.c.revision <= bindparam("until")
)
_LISTS = ("classes_added", "classes_removed", "support_added", "support_removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetChange:
    """What several revisions have done together, as identifiers.

    What was added and removed between is in no list; images that went with their class are still
    in ``support_added``.

    Attributes:
        tuned: Whether one of them brought a tuning.
    """

    tuned: bool
    classes_added: tuple[int, ...]
    classes_removed: tuple[int, ...]
    support_added: tuple[int, ...]
    support_removed: tuple[int, ...]


def log_change(session: Session, classifier_id: int, change: Change, written: Written) -> None:
    """Write down a change, in the transaction that makes it; forgets the one ``KEPT`` before."""
    lists: dict[str, list[int]] = {
        "classes_added": [record.id for record in written.classes],
        "classes_removed": list(written.classes_removed),
        "support_added": [record.id for record in written.support],
        "support_removed": list(written.removed),
    }
    followable = (
        # Both make a classifier be fitted anew, which costs what reading it does.
        change.settings is None
        and not change.classes_renewed
        and sum(map(len, lists.values())) <= MOST_LISTED
    )
    _log(
        session,
        classifier_id,
        written.revision,
        {"followable": True, "tuned": change.tuning is not None, **lists}
        if followable
        else _NOT_FOLLOWABLE,
    )


def log_not_followable(session: Session, classifier_id: int, revision: int) -> None:
    """Write down that a revision is to be read anew."""
    _log(session, classifier_id, revision, _NOT_FOLLOWABLE)


def changes_since(connection: Connection, state: State, latest: int) -> NetChange | None:
    """What the revisions after a state did, up to the latest; None where that is not known.

    Args:
        connection: In a transaction that sees one state of the database.
        state: Of the classifier.
        latest: Its revision in that transaction.
    """
    if not 0 <= latest - state.revision <= KEPT:
        return None
    rows = connection.execute(
        select(ChangeRow.followable, ChangeRow.tuned, *(getattr(ChangeRow, at) for at in _LISTS))
        .where(ChangeRow.classifier_id == state.id, ChangeRow.revision > state.revision)
        .order_by(ChangeRow.revision)
    ).all()
    if len(rows) != latest - state.revision or not all(map(_can_be_followed, rows)):
        return None
    classes = _net([row.classes_added for row in rows], [row.classes_removed for row in rows])
    support = _net([row.support_added for row in rows], [row.support_removed for row in rows])
    return NetChange(
        tuned=any(row.tuned for row in rows),
        classes_added=classes[0],
        classes_removed=classes[1],
        support_added=support[0],
        support_removed=support[1],
    )


_NOT_FOLLOWABLE: dict[str, Any] = {
    "followable": False,
    "tuned": False,
    **{name: [] for name in _LISTS},
}


def _log(session: Session, classifier_id: int, revision: int, values: dict[str, Any]) -> None:
    session.execute(_WRITE, {"classifier_id": classifier_id, "revision": revision, **values})
    session.execute(_FORGET, {"of": classifier_id, "until": revision - KEPT})


def _can_be_followed(row: Any) -> bool:
    return row.followable and not any(isinstance(getattr(row, at), Unreadable) for at in _LISTS)


def _net(
    added: Sequence[tuple[int, ...]], removed: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Both without what is in the other: identifiers are not given again."""
    came, went = list(chain(*added)), list(chain(*removed))
    never_seen = set(came) & set(went)
    return (
        tuple(i for i in came if i not in never_seen),
        tuple(i for i in went if i not in never_seen),
    )
