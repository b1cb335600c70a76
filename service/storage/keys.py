"""Keys in the database: made, listed, rotated, revoked; each change in a transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from service.access.key_text import NewKey, new_key
from service.access.limits import TenantLimits
from service.problems import KeyNotFound, TooManyKeys
from service.storage.notifications import announce
from service.storage.stored_keys import KeyTerms, StoredKey, readable_keys, stored_key
from service.storage.tables import (
    AccessVersionRow,
    KeyRow,
    TenantLimitsRow,
    table_of,
)
from service.storage.transactions import one_state, writing

# Valid keys of a tenant: all of them are in memory.
MOST_KEYS = 1000
# How long a key that has ended is still listed.
_LISTED = timedelta(days=90)
_ID = re.compile("[0-9a-f]{16}")


_VERSION = select(AccessVersionRow.version)


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
        keys = readable_keys(session, _valid(datetime.now(UTC)))
        limits = {row.tenant: limits_of(row) for row in session.scalars(select(TenantLimitsRow))}
        return Access(version, {key.key_id: key for key in keys}, limits)


def list_keys(engine: Engine, tenant: str | None) -> list[StoredKey]:
    """Keys of a tenant, or of all tenants, those that ended of late among them; oldest first."""
    with Session(engine) as session:
        asked = select(KeyRow).order_by(KeyRow.id)
        if tenant is not None:
            asked = asked.where(KeyRow.tenant == tenant)
        return readable_keys(session, asked)


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
        if (before := stored_key(row)) is None or before.has_ended(datetime.now(UTC)):
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
    announce(session, "access")


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
    found = stored_key(row)
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
