"""Keys as they are stored, read one by one where one of them is damaged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.access.limits import LEAST_PER_SECOND, NO_RATES, RateLimits
from service.access.principal import Scope
from service.storage.errors import Damaged
from service.storage.tables import KeyRow, Unreadable

logger = logging.getLogger("handful.storage")

# What a driver, or what makes values of what it read, says of a row that is damaged.
_NOT_READ = (DBAPIError, Damaged, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """Terms of a key: what is decided when it is made.

    Attributes:
        tenant: Whose.
        name: What it is for.
        scopes: What its holder may do.
        classifiers: Bare names of those that it is for; None: all of the tenant.
        expires_at: When it ends; None: when it is revoked.
        rates: Its rate limits, beside those of its tenant.
    """

    tenant: str
    name: str = ""
    scopes: frozenset[Scope]
    classifiers: frozenset[str] | None = None
    expires_at: datetime | None = None
    rates: RateLimits = NO_RATES


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key as it is stored.

    Attributes:
        key_id: Public id.
        digest: Of its text.
        terms: What was decided.
        created_at: When it was made.
        revoked_at: From when on it is not valid any more; None: it was not revoked.
        used_at: About when it was last used; None: never.
    """

    key_id: str
    digest: bytes
    terms: KeyTerms
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    @property
    def ends_at(self) -> datetime | None:
        """When it ceases, or has ceased, to be valid; None: it does not."""
        ends = [end for end in (self.terms.expires_at, self.revoked_at) if end is not None]
        return min(ends, default=None)

    def has_ended(self, now: datetime) -> bool:
        """Whether it is not valid any more."""
        return self.ends_at is not None and self.ends_at <= now


def readable_keys(session: Session, asked: Select[Any]) -> list[StoredKey]:
    """Keys that are asked for. One that cannot be read is none, and costs no other one."""
    try:
        found = [(row.id, stored_key(row)) for row in session.scalars(asked)]
    except _NOT_READ:  # of one row, for all of them: one by one, then
        ids = list(session.scalars(asked.with_only_columns(KeyRow.id)))
        found = [(one, _read_alone(session, one)) for one in ids]
    for row_id, key in found:
        if key is None:
            logger.warning("the key of row %d in the table keys cannot be read: it is none", row_id)
    return [key for _, key in found if key is not None]


def stored_key(row: KeyRow) -> StoredKey | None:
    """A key as it is stored; None where that cannot be read."""
    read: Sequence[object] = (
        row.scopes,
        row.classifiers,
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )
    if any(isinstance(one, Unreadable) for one in read):
        return None
    texts = (row.key_id, row.tenant, row.name)
    if not (isinstance(row.digest, bytes) and all(isinstance(one, str) for one in texts)):
        return None
    for rate in (row.requests_per_second, row.images_per_second):
        if rate is not None and not (isinstance(rate, (int, float)) and rate >= LEAST_PER_SECOND):
            return None
    known = {str(scope) for scope in Scope}
    return StoredKey(
        key_id=row.key_id,
        digest=row.digest,
        terms=KeyTerms(
            tenant=row.tenant,
            name=row.name,
            scopes=frozenset(Scope(scope) for scope in row.scopes if scope in known),
            classifiers=None if row.classifiers is None else frozenset(row.classifiers),
            expires_at=row.expires_at,
            rates=RateLimits(
                requests_per_second=row.requests_per_second,
                images_per_second=row.images_per_second,
            ),
        ),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        used_at=None if isinstance(row.used_at, Unreadable) else row.used_at,
    )


def _read_alone(session: Session, row_id: int) -> StoredKey | None:
    try:
        row = session.scalars(select(KeyRow).where(KeyRow.id == row_id)).one_or_none()
        return None if row is None else stored_key(row)
    except _NOT_READ:
        return None
