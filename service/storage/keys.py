"""Keys in the database: made, listed, rotated, revoked; each change in a transaction."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, bindparam, func, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.access.key_text import NewKey, new_key
from service.access.limits import LEAST_PER_SECOND, NO_RATES, RateLimits, TenantLimits
from service.access.principal import Scope
from service.problems import KeyNotFound, TooManyKeys
from service.storage.errors import Damaged
from service.storage.tables import (
    AccessVersionRow,
    KeyRow,
    TenantLimitsRow,
    Unreadable,
    table_of,
)
from service.storage.transactions import one_state, writing

logger = logging.getLogger("handful.storage")

# Valid keys of a tenant: all of them are in memory.
MOST_KEYS = 1000
# How long a key that has ended is still listed.
_LISTED = timedelta(days=90)
_ID = re.compile("[0-9a-f]{16}")
# What a driver, or what makes values of what it read, says of a row that is damaged.
_NOT_READ = (DBAPIError, Damaged, TypeError, ValueError)

_VERSION = select(AccessVersionRow.version)


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


@dataclass(frozen=True, slots=True)
class Access:
    """All that requests are checked by, in one state.

    Attributes:
        version: Of that state.
        keys: Keys that were valid when it was read, by their ids.
        limits: Limits that tenants were given.
    """

    version: int
    keys: Mapping[str, StoredKey]
    limits: Mapping[str, TenantLimits]


# What is written down of a change of keys in its transaction: an action and the key.
KeyRecorder = Callable[[Session, str, StoredKey], None]


def access_version(engine: Engine) -> int:
    """The counter of changes; costs one row."""
    with engine.connect() as connection:
        return connection.execute(_VERSION).scalar_one()


def read_access(engine: Engine) -> Access:
    """All keys that are valid, and all limits. A key that cannot be read is none."""
    with one_state(engine) as connection, Session(connection) as session:
        version = session.scalars(_VERSION).one()
        keys = _readable(session, _valid(datetime.now(UTC)))
        limits = {row.tenant: limits_of(row) for row in session.scalars(select(TenantLimitsRow))}
        return Access(version, {key.key_id: key for key in keys}, limits)


def list_keys(engine: Engine, tenant: str | None) -> list[StoredKey]:
    """Keys of a tenant, or of all tenants, those that ended of late among them; oldest first."""
    with Session(engine) as session:
        asked = select(KeyRow).order_by(KeyRow.id)
        if tenant is not None:
            asked = asked.where(KeyRow.tenant == tenant)
        return _readable(session, asked)


def create_key(
    engine: Engine, terms: KeyTerms, record: KeyRecorder | None = None
) -> tuple[StoredKey, str]:
    """Make a key.

    Returns:
        The key, and its text, which is nowhere else.

    Raises:
        TooManyKeys: The tenant has as many as it may have.
    """
    with writing(engine) as session:
        made, new = _made(session, terms)
        if record is not None:
            record(session, "key.created", made)
        return made, new.text


def rotate_key(
    engine: Engine,
    key_id: str,
    tenant: str | None,
    grace: timedelta,
    record: KeyRecorder | None = None,
) -> tuple[StoredKey, str]:
    """Make a key on the terms of another one, which ends after a while.

    Args:
        engine: Of the database.
        key_id: Of the one that is to end.
        tenant: Whose it must be; None: anybody's.
        grace: How long both are valid.
        record: Called for both.

    Raises:
        KeyNotFound: There is no such key, or not any more.
        TooManyKeys: As :func:`create_key`.
    """
    with writing(engine) as session:
        row = _row(session, key_id, tenant)
        if (before := _stored(row)) is None or before.has_ended(datetime.now(UTC)):
            raise KeyNotFound(key_id, "It has ended already, and is not made anew; make another.")
        old = _ended(session, row, grace)
        made, new = _made(session, old.terms)
        if record is not None:
            record(session, "key.created", made)
            record(session, "key.rotated", old)
        return made, new.text


def revoke_key(
    engine: Engine, key_id: str, tenant: str | None, record: KeyRecorder | None = None
) -> StoredKey:
    """End a key now; one that has ended stays so.

    Raises:
        KeyNotFound: There is no such key.
    """
    with writing(engine, frees=True) as session:
        ended = _ended(session, _row(session, key_id, tenant), timedelta(0))
        if record is not None:
            record(session, "key.revoked", ended)
        return ended


def note_use(engine: Engine, used: Mapping[str, datetime]) -> None:
    """Write down when keys were last used; nobody's memory is out of date by it."""
    keys = table_of(KeyRow)
    statement = (
        update(keys).where(keys.c.key_id == bindparam("which")).values(used_at=bindparam("when"))
    )
    with writing(engine) as session:
        session.connection().execute(
            statement, [{"which": key_id, "when": at} for key_id, at in used.items()]
        )


def count_change(session: Session) -> None:
    """Let everybody know, once the transaction is done, that keys or limits have changed."""
    session.execute(update(AccessVersionRow).values(version=AccessVersionRow.version + 1))


def limits_of(row: TenantLimitsRow) -> TenantLimits:
    """Limits as they are stored."""
    return TenantLimits(
        requests_per_second=row.requests_per_second,
        images_per_second=row.images_per_second,
        classifiers=row.classifiers,
        classes=row.classes,
        images=row.images,
        bytes=row.bytes,
    )


def _readable(session: Session, asked: Select[Any]) -> list[StoredKey]:
    """Keys that are asked for. One that cannot be read is none, and costs no other one."""
    try:
        found = [(row.id, _stored(row)) for row in session.scalars(asked)]
    except _NOT_READ:  # of one row, for all of them: one by one, then
        ids = list(session.scalars(asked.with_only_columns(KeyRow.id)))
        found = [(one, _read_alone(session, one)) for one in ids]
    for row_id, key in found:
        if key is None:
            logger.warning("the key of row %d in the table keys cannot be read: it is none", row_id)
    return [key for _, key in found if key is not None]


def _read_alone(session: Session, row_id: int) -> StoredKey | None:
    try:
        row = session.scalars(select(KeyRow).where(KeyRow.id == row_id)).one_or_none()
        return None if row is None else _stored(row)
    except _NOT_READ:
        return None


def _valid(now: datetime) -> Select[Any]:
    return select(KeyRow).where(
        or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > now),
        or_(KeyRow.revoked_at.is_(None), KeyRow.revoked_at > now),
    )


def _row(session: Session, key_id: str, tenant: str | None) -> KeyRow:
    if not _ID.fullmatch(key_id):  # PostgreSQL refuses what is no text
        raise KeyNotFound(key_id)
    asked = select(KeyRow).where(KeyRow.key_id == key_id)
    if tenant is not None:
        asked = asked.where(KeyRow.tenant == tenant)
    row = session.scalars(asked).one_or_none()
    if row is None:
        raise KeyNotFound(key_id)
    return row


def _ended(session: Session, row: KeyRow, grace: timedelta) -> StoredKey:
    count_change(session)
    end = datetime.now(UTC) + grace
    if row.revoked_at is None or row.revoked_at > end:
        row.revoked_at = end
    session.flush()
    found = _stored(row)
    if found is None:
        raise KeyNotFound(row.key_id)
    return found


def _made(session: Session, terms: KeyTerms) -> tuple[StoredKey, NewKey]:
    count_change(session)  # first of all: others who make keys wait here
    now = datetime.now(UTC)
    valid = _valid(now).where(KeyRow.tenant == terms.tenant).subquery()
    if session.scalars(select(func.count()).select_from(valid)).one() >= MOST_KEYS:
        raise TooManyKeys(
            f"The tenant has {MOST_KEYS} valid keys, the most that it may have. Revoke some that "
            "nobody uses: GET /v1/keys tells when each was used."
        )
    keys = table_of(KeyRow)
    session.execute(
        keys.delete().where(
            keys.c.tenant == terms.tenant,
            or_(keys.c.expires_at < now - _LISTED, keys.c.revoked_at < now - _LISTED),
        )
    )
    new = new_key()
    row = KeyRow(
        key_id=new.key_id,
        digest=new.digest,
        tenant=terms.tenant,
        name=terms.name,
        scopes=tuple(sorted(terms.scopes)),
        classifiers=None if terms.classifiers is None else tuple(sorted(terms.classifiers)),
        requests_per_second=terms.rates.requests_per_second,
        images_per_second=terms.rates.images_per_second,
        created_at=now,
        expires_at=terms.expires_at,
    )
    session.add(row)
    session.flush()
    return (
        StoredKey(
            key_id=new.key_id,
            digest=new.digest,
            terms=terms,
            created_at=now,
            revoked_at=None,
            used_at=None,
        ),
        new,
    )


def _stored(row: KeyRow) -> StoredKey | None:
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
