"""Sessions in the database: browsers that have logged in with a key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import Session

from service.access.session_token import digest_of, new_token
from service.storage.tables import SessionRow, Unreadable, table_of
from service.storage.transactions import writing

LASTS = timedelta(hours=12)
"""How long a session lasts, used or not."""
# Sessions of a key; with another one the oldest ends.
MOST_SESSIONS = 1000

_SESSIONS = table_of(SessionRow)

# What is written down of a session in the transaction that makes or ends it.
SessionRecorder = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as it is stored.

    Attributes:
        key_id: Public id of the key that it was begun with.
        expires_at: When it ends.
    """

    key_id: str
    expires_at: datetime


def create_session(
    engine: Engine, key_id: str, record: SessionRecorder | None = None
) -> tuple[StoredSession, str]:
    """Begin a session.

    Args:
        engine: Of the database.
        key_id: Public id of the key, which is valid.
        record: Called in its transaction.

    Returns:
        The session, and its token, which is nowhere else.
    """
    token, now = new_token(), datetime.now(UTC)
    made = StoredSession(key_id, now + LASTS)
    mine = _SESSIONS.c.key_id == key_id
    newest = (
        select(_SESSIONS.c.digest)
        .where(mine)
        .order_by(_SESSIONS.c.created_at.desc())
        .limit(MOST_SESSIONS - 1)
    )
    with writing(engine) as session:
        session.execute(delete(_SESSIONS).where(mine, _SESSIONS.c.digest.not_in(newest)))
        session.execute(
            insert(_SESSIONS),
            {
                "digest": digest_of(token),
                "key_id": key_id,
                "created_at": now,
                "expires_at": made.expires_at,
            },
        )
        if record is not None:
            record(session)
    return made, token


def find_session(engine: Engine, token: str) -> StoredSession | None:
    """The session of a token; None where there is none, or not any more. Costs one row."""
    with engine.connect() as connection:
        row = connection.execute(
            select(_SESSIONS.c.key_id, _SESSIONS.c.expires_at).where(
                _SESSIONS.c.digest == digest_of(token), _SESSIONS.c.expires_at > datetime.now(UTC)
            )
        ).one_or_none()
    if row is None or isinstance(row.expires_at, Unreadable):
        return None
    return StoredSession(row.key_id, row.expires_at)


def end_session(engine: Engine, token: str, record: SessionRecorder | None = None) -> None:
    """End a session; one that has ended stays so, and nothing is recorded."""
    with writing(engine, frees=True) as session:
        mine = delete(_SESSIONS).where(_SESSIONS.c.digest == digest_of(token))
        if session.connection().execute(mine).rowcount and record is not None:
            record(session)


def forget_expired_sessions(engine: Engine) -> None:
    """Let go of those that have ended by themselves."""
    with writing(engine, frees=True) as session:
        session.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_at <= datetime.now(UTC)))
