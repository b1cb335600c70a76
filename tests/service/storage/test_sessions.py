"""Sessions in the database: found by their token alone, for twelve hours, so many of a key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from service.access.session_token import digest_of
from service.storage import sessions
from service.storage.sessions import (
    create_session,
    end_session,
    find_session,
    forget_expired_sessions,
)
from service.storage.tables import SessionRow

KEY_ID = "9f2c41d07ab35e86"


def test_nothing_of_a_token_is_in_the_database(engine: Engine) -> None:
    stored, token = create_session(engine, KEY_ID)
    assert find_session(engine, token) == stored
    with Session(engine) as session:
        [row] = session.scalars(select(SessionRow))
        assert (row.digest, row.key_id) == (digest_of(token), KEY_ID)
        assert token not in row.digest
    for wrong in (token[:-1], token.lower(), digest_of(token), ""):
        assert find_session(engine, wrong) is None


def test_a_session_ends_after_twelve_hours_and_is_forgotten(engine: Engine) -> None:
    stored, token = create_session(engine, KEY_ID)
    _, other = create_session(engine, KEY_ID)
    with Session(engine) as session, session.begin():
        ended = stored.expires_at - timedelta(hours=12, seconds=1)
        session.execute(
            update(SessionRow).where(SessionRow.digest == digest_of(token)).values(expires_at=ended)
        )
    assert find_session(engine, token) is None
    forget_expired_sessions(engine)
    with Session(engine) as session:
        assert list(session.scalars(select(SessionRow.digest))) == [digest_of(other)]
    assert find_session(engine, other) is not None


def test_a_key_has_so_many_sessions_and_the_oldest_goes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    _, of_another = create_session(engine, "0" * 16)
    tokens = [create_session(engine, KEY_ID)[1] for _ in range(5)]
    there = [token for token in tokens if find_session(engine, token) is not None]
    assert there == tokens[-3:]
    assert find_session(engine, of_another) is not None


def test_a_session_that_is_ended_is_no_session_any_more(engine: Engine) -> None:
    recorded: list[str] = []
    _, token = create_session(engine, KEY_ID, lambda _: recorded.append("begun"))
    for _ in range(2):
        end_session(engine, token, lambda _: recorded.append("ended"))
        assert find_session(engine, token) is None
    assert recorded == ["begun", "ended"]
