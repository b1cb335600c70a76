"""Limits of tenants, what of them is used, and that no change goes beyond them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import Engine, Select, bindparam, func, select
from sqlalchemy.orm import Session

from service.access.limits import OWNED, TenantLimits
from service.problems import QuotaExceeded
from service.storage.contents import OBJECT
from service.storage.keys import count_change, limits_of
from service.storage.recording import Recorded
from service.storage.tables import (
    ClassifierRow,
    ClassRow,
    ContentObjectRow,
    ContentRow,
    RememberedRow,
    SupportRow,
    TenantLimitsRow,
)
from service.storage.transactions import writing
from service.tenancy import tenant_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a tenant owns, as :class:`service.access.limits.TenantLimits` counts it."""

    classifiers: int
    classes: int
    images: int
    bytes: int


def usage(engine: Engine, tenant: str) -> Usage:
    """What a tenant owns; costs a look at all of it."""
    with Session(engine) as session:
        return Usage(**{what: _owned(session, tenant, what) for what in OWNED})


def stored_limits(engine: Engine, tenant: str) -> TenantLimits:
    """Limits that a tenant was given; none where it was given none."""
    with Session(engine) as session:
        row = session.get(TenantLimitsRow, tenant)
        return TenantLimits() if row is None else limits_of(row)


def set_limits(engine: Engine, tenant: str, limits: TenantLimits) -> None:
    """Give a tenant other limits, in the place of all that it had."""
    with writing(engine) as session:
        count_change(session)
        session.merge(TenantLimitsRow(tenant=tenant, **asdict(limits)))


class OwnedLimits:
    """Recorder that lets no change go beyond the limits of its tenant.

    It counts in the transaction of the change, so changes at the same time do not go beyond them
    together; only what a change adds is counted, and only where it is limited.

    Args:
        limits: Those of a tenant.
    """

    def __init__(self, limits: Callable[[str], TenantLimits]) -> None:
        self._limits = limits

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Look whether the tenant may own what it owns now.

        Raises:
            QuotaExceeded: It may not.
        """
        self.check(session, tenant_of(recorded.name), _added(recorded))

    def check(self, session: Session, tenant: str, added: Sequence[str]) -> None:
        """Look whether a tenant may own what it owns now.

        Args:
            session: Of the transaction that has added to it.
            tenant: Whose.
            added: What it has added to.

        Raises:
            QuotaExceeded: It may not.
        """
        limits = self._limits(tenant)
        limited = {what: most for what in added if (most := getattr(limits, what))}
        if limited and session.get_bind().dialect.name == "postgresql":
            # Changes of one tenant wait for each other here, as all do in SQLite.
            session.execute(select(func.pg_advisory_xact_lock(_lock_of(tenant))))
        for what, most in limited.items():
            used = _owned(session, tenant, what)
            if used > most:
                raise QuotaExceeded(what, most, used)


def _added(recorded: Recorded) -> tuple[str, ...]:
    """What a change adds to, of all that is limited."""
    change = recorded.change
    if recorded.revision is None:
        return ()
    if change is None:
        return OWNED
    added = ["classifiers"] if recorded.written is None else []
    added += ["classes"] if change.classes_added else []
    added += ["images", "bytes"] if change.added else []
    return tuple(added)


def _owned(session: Session, tenant: str, what: str) -> int:
    return int(session.execute(_STATEMENTS[what], {"tenant": tenant}).scalar_one() or 0)


def _lock_of(tenant: str) -> int:
    digest = blake2b(b"handful tenant " + tenant.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _statements() -> dict[str, Select[Any]]:
    from_support = (
        select(SupportRow.image_id)
        .join(ClassRow, SupportRow.class_id == ClassRow.id)
        .join(ClassifierRow, ClassRow.classifier_id == ClassifierRow.id)
    )
    count: dict[str, Select[Any]] = {
        "classifiers": select(func.count(ClassifierRow.id)),
        "classes": select(func.count(ClassRow.id)).join(
            ClassifierRow, ClassRow.classifier_id == ClassifierRow.id
        ),
        "images": from_support.with_only_columns(func.count(SupportRow.id)),
    }
    whose = ClassifierRow.tenant == bindparam("tenant")
    size = func.coalesce(ContentObjectRow.nbytes, func.length(ContentRow.content))
    registered = (
        select(func.coalesce(func.sum(size), 0))
        .select_from(ContentRow)
        .outerjoin(ContentObjectRow, OBJECT)
        .where(ContentRow.image_id.in_(from_support.where(whose)))
    )
    remembered = (
        select(func.coalesce(func.sum(RememberedRow.size), 0))
        .join(ClassifierRow, RememberedRow.classifier_id == ClassifierRow.id)
        .where(whose)
    )
    return {what: statement.where(whose) for what, statement in count.items()} | {
        "bytes": select(registered.scalar_subquery() + remembered.scalar_subquery())
    }


_STATEMENTS = _statements()
