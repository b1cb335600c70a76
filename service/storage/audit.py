"""Audit log: who did what to which classifier, when, with which key. Entries are only added."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import Session

from service.access.principal import Principal
from service.storage.recording import Recorded
from service.storage.stored_keys import StoredKey
from service.storage.tables import AuditRow, ClassifierRow, Unreadable, table_of
from service.storage.transactions import writing
from service.tenancy import bare

# Of a text in an entry, and of a list: an entry is of bounded size, whatever a request names.
_TEXT = 300
_LISTED = 20
#: Who is at the machine itself.
COMMAND = "(command)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that is to be written.

    Attributes:
        tenant: Whose log it is in.
        action: What was done, as ``classifier.changed``.
        key_id: Of the key that it was done with.
        user: Who did it, where a proxy or the machine says.
        classifier: Bare name of the one that it was done to.
        details: What else is worth knowing; never contents of images, never keys.
    """

    tenant: str
    action: str
    key_id: str | None = None
    user: str | None = None
    classifier: str | None = None
    details: Mapping[str, Any]

    @classmethod
    def by(
        cls,
        principal: Principal,
        action: str,
        classifier: str | None = None,
        tenant: str | None = None,
        **details: Any,
    ) -> Entry:
        """An entry of what somebody did, in the log of their tenant or of another one."""
        return cls(
            tenant=principal.tenant if tenant is None else tenant,
            action=action,
            key_id=principal.key_id,
            user=principal.user,
            classifier=classifier,
            details=details,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged(Entry):
    """An entry as it was written.

    Attributes:
        id: Its own, random: nobody counts entries of others by it.
        at: When.
    """

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which entries are asked for; None: any.

    Attributes:
        since: Not before.
        until: Before.
        key_id: Done with that key.
        classifier: Done to that one.
        action: Of that kind.
    """

    since: datetime | None = None
    until: datetime | None = None
    key_id: str | None = None
    classifier: str | None = None
    action: str | None = None


class AuditRecorder:
    """Recorder of changes of classifiers, in the transaction of each.

    Args:
        principal: Who makes them.
        request: What was asked, as ``DELETE /v1/classifiers/a``.
    """

    def __init__(self, principal: Principal, request: str) -> None:
        self._principal = principal
        self._request = request

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Write an entry of a change."""
        what = "changed"
        if recorded.revision is None:
            what = "deleted"
        elif recorded.written is None:
            what = "created"
        details = {"revision": recorded.revision} | _told(session, recorded)
        name = bare(recorded.name)
        if recorded.renamed_to is None:
            self._add(session, what, name, details)
            return
        # Two entries: whoever looks for either name finds what has become of it.
        new = bare(recorded.renamed_to)
        self._add(session, "renamed", name, {**details, "renamed_to": new})
        self._add(session, "renamed", new, {**details, "renamed_from": name})

    def _add(self, session: Session, what: str, name: str, details: dict[str, Any]) -> None:
        request = shortened(self._request)
        entry = Entry.by(self._principal, f"classifier.{what}", name, request=request, **details)
        add_entry(session, entry)


class AuditedKeys:
    """What writes down changes of keys, in the transaction of each.

    Args:
        principal: Who makes them; None: the command.
    """

    def __init__(self, principal: Principal | None) -> None:
        self._principal = principal or Principal(user=COMMAND)

    def __call__(self, session: Session, action: str, key: StoredKey) -> None:
        """Write an entry in the log of the key's tenant."""
        terms = key.terms
        add_entry(
            session,
            Entry.by(
                self._principal,
                action,
                tenant=terms.tenant,
                key=key.key_id,
                name=terms.name,
                scopes=sorted(terms.scopes),
                ends_at=key.ends_at.isoformat() if key.ends_at else None,
            ),
        )


def add_entry(session: Session, entry: Entry) -> None:
    """Write an entry in a transaction that is under way."""
    session.execute(
        insert(table_of(AuditRow)),
        {
            "public_id": uuid.uuid4().hex,
            "tenant": entry.tenant,
            "at": datetime.now(UTC),
            "key_id": entry.key_id,
            "user": entry.user,
            "action": entry.action,
            "classifier": entry.classifier,
            "details": dict(entry.details),
        },
    )


def write_entries(engine: Engine, entries: Sequence[Entry]) -> None:
    """Write entries of what was no change, in a transaction of their own."""
    with writing(engine) as session:
        for entry in entries:
            add_entry(session, entry)


def audit_page(
    engine: Engine, tenant: str, filters: Filters, most: int, before: str | None = None
) -> list[Logged]:
    """Entries of a tenant's log, the newest first.

    Args:
        engine: Of the database.
        tenant: Whose.
        filters: Which of them.
        most: Entries.
        before: Older than the one of that id; one that is not there has none.
    """
    asked = select(AuditRow).where(AuditRow.tenant == tenant)
    if filters.since is not None:
        asked = asked.where(AuditRow.at >= filters.since)
    if filters.until is not None:
        asked = asked.where(AuditRow.at < filters.until)
    for column, value in [
        (AuditRow.key_id, filters.key_id),
        (AuditRow.classifier, filters.classifier),
        (AuditRow.action, filters.action),
    ]:
        if value is not None:
            asked = asked.where(column == value)
    if before is not None:
        last = select(AuditRow.id).where(AuditRow.public_id == before, AuditRow.tenant == tenant)
        asked = asked.where(AuditRow.id < last.scalar_subquery())
    with Session(engine) as session:
        rows = session.scalars(asked.order_by(AuditRow.id.desc()).limit(most))
        return [_logged(row) for row in rows if not isinstance(row.at, Unreadable)]


def forget_entries(engine: Engine, before: datetime) -> None:
    """Delete entries of all tenants that are older."""
    audit = table_of(AuditRow)
    with engine.connect() as connection:
        if connection.scalar(select(audit.c.id).where(audit.c.at < before).limit(1)) is None:
            return
    with writing(engine, frees=True) as session:
        session.execute(delete(audit).where(audit.c.at < before))


def shortened(text: str) -> str:
    """A text that an entry has room for."""
    return text if len(text) <= _TEXT else text[:_TEXT] + "…"


def _told(session: Session, recorded: Recorded) -> dict[str, Any]:
    """What a change was about: counts, labels, and what it was made of."""
    told = _changed(recorded)
    sources = [*recorded.sources, *(recorded.change.sources if recorded.change else ())]
    if ids := [one.id for one in sources[:_LISTED]]:
        names = session.scalars(select(ClassifierRow.name).where(ClassifierRow.id.in_(ids)))
        told["sources"] = sorted(map(bare, names))
    return told


def _changed(recorded: Recorded) -> dict[str, Any]:
    """Counts and labels of a change; of a classifier that was created or deleted, none."""
    change, before = recorded.change, recorded.labels_before
    if change is None:
        return {}
    counts = {
        "classes_added": len(change.classes_added),
        "classes_removed": len(change.classes_removed),
        "images_added": len(change.added),
        "images_removed": len(change.removed),
    }
    told: dict[str, Any] = {name: number for name, number in counts.items() if number}
    if change.classes_added:
        told["labels"] = [one.label for one in change.classes_added[:_LISTED]]
    if change.settings is not None:
        told["settings"] = True
    if removed := [before[one] for one in change.classes_removed if one in before]:
        told["labels_removed"] = removed[:_LISTED]
    after = {one.id: one.label for one in change.classes_renewed}
    if renamed := {before[one]: after[one] for one in sorted(change.relabelled) if one in before}:
        told["labels_renamed"] = dict(list(renamed.items())[:_LISTED])
    return told


def _logged(row: AuditRow) -> Logged:
    return Logged(
        id=row.public_id,
        at=row.at,
        tenant=row.tenant,
        action=row.action,
        key_id=row.key_id,
        user=row.user,
        classifier=row.classifier,
        details={} if isinstance(row.details, Unreadable) else row.details,
    )
