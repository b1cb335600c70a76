"""The key ring: as fresh as is promised, and never a way to the database for strangers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from service.access.key_text import new_key
from service.access.principal import Scope
from service.authentication import key_ring
from service.authentication.key_ring import KeyRing
from service.problems import KeyNotFound, KeyRequired, KeysUnavailable, TooManyKeys
from service.storage import keys
from service.storage.keys import (
    create_key,
    list_keys,
    read_access,
    revoke_key,
    rotate_key,
)
from service.storage.stored_keys import KeyTerms
from tests.service.databases import only_postgresql, only_sqlite

TERMS = KeyTerms(tenant="lab", scopes=frozenset({Scope.READ}), classifiers=frozenset({"a"}))


@pytest.fixture
def ring(engine: Engine) -> Iterator[KeyRing]:
    made = KeyRing(engine)
    yield made
    made.close()


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the engine executes meanwhile."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def asked(ring: KeyRing, text: str | None) -> str:
    """The tenant of who holds the key; or what is wrong with it."""
    try:
        return asyncio.run(ring.holder(text)).principal.tenant
    except (KeyRequired, KeysUnavailable) as problem:
        return type(problem).__name__


def test_a_key_that_was_just_made_elsewhere_is_known(engine: Engine, ring: KeyRing) -> None:
    key, text = create_key(engine, TERMS)
    holder = asyncio.run(ring.holder(text))
    assert holder.principal.key_id == key.key_id
    assert holder.principal.scopes == TERMS.scopes
    assert holder.principal.classifiers == TERMS.classifiers
    for wrong in (None, "", "x", text[:-1], text[:-1] + "~", text + "A", new_key().text):
        assert asked(ring, wrong) == "KeyRequired"
    swapped = text[:-6] + "AAAAAA"
    assert asked(ring, swapped) == "KeyRequired"


def test_a_known_key_asks_the_database_nothing(
    engine: Engine, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = create_key(engine, TERMS)
    asked(ring, text)
    ring.close()  # but for the thread that looks once a second
    with statements(engine) as seen:
        for _ in range(100):
            assert asked(ring, text) == "lab"
    assert not seen


def test_strangers_share_looks_at_one_counter_and_leave_nothing_behind(
    engine: Engine, ring: KeyRing
) -> None:
    ring.close()

    async def flood() -> None:
        wrong = [ring.holder(new_key().text) for _ in range(500)]
        answers = await asyncio.gather(*wrong, return_exceptions=True)
        assert {type(answer) for answer in answers} == {KeyRequired}

    before = dict(vars(ring))
    with statements(engine) as seen:
        asyncio.run(flood())
    assert 1 <= sum("access_version" in one for one in seen) <= 2
    assert not [one for one in seen if "FROM keys" in one]
    assert ring.used == before["used"] == {}


def test_a_key_ends_when_it_is_revoked_rotated_or_expires(engine: Engine, ring: KeyRing) -> None:
    soon = KeyTerms(
        tenant="lab",
        scopes=frozenset({Scope.READ}),
        expires_at=datetime.now(UTC) + timedelta(seconds=0.5),
    )
    _, expiring = create_key(engine, soon)
    assert asked(ring, expiring) == "lab"
    old, old_text = create_key(engine, TERMS)
    new, new_text = rotate_key(engine, old.key_id, "lab", timedelta(hours=1))
    assert new.terms == old.terms
    assert (asked(ring, old_text), asked(ring, new_text)) == ("lab", "lab")
    rotate_key(engine, old.key_id, None, timedelta(0))
    revoke_key(engine, new.key_id, "lab")
    begun = time.monotonic()
    while asked(ring, new_text) == "lab":
        assert time.monotonic() - begun < 5
        time.sleep(0.02)
    assert asked(ring, old_text) == "KeyRequired"
    assert asked(ring, expiring) == "KeyRequired"
    assert len(list_keys(engine, "lab")) == 4
    with pytest.raises(KeyNotFound):
        revoke_key(engine, new.key_id, "other")


def test_without_the_database_keys_are_not_believed_for_long(
    engine: Engine, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = create_key(engine, TERMS)
    assert asked(ring, text) == "lab"

    def fail(_: Engine) -> int:
        raise OSError("gone")

    monkeypatch.setattr(key_ring, "access_version", fail)
    assert asked(ring, new_key().text) == "KeysUnavailable"
    begun = time.monotonic()
    while asked(ring, text) == "lab":
        assert time.monotonic() - begun < 5
        time.sleep(0.05)
    assert asked(ring, text) == "KeysUnavailable"
    monkeypatch.undo()
    begun = time.monotonic()
    while asked(ring, text) != "lab":
        assert time.monotonic() - begun < 3
        time.sleep(0.05)


def test_a_tenant_has_no_more_keys_than_fit_into_memory(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 2)
    first, _ = create_key(engine, TERMS)
    create_key(engine, TERMS)
    with pytest.raises(TooManyKeys):
        create_key(engine, TERMS)
    create_key(engine, KeyTerms(tenant="other", scopes=TERMS.scopes))
    revoke_key(engine, first.key_id, "lab")
    create_key(engine, TERMS)


# A column of SQLite holds whatever it is given.
@only_sqlite
@pytest.mark.parametrize(
    "damage",
    [
        "digest = 'no bytes'",
        "scopes = '['",
        "classifiers = '7'",
        "created_at = 'noon'",
        "name = CAST(x'ff' AS TEXT)",
        "tenant = CAST(x'ff' AS TEXT)",
        "requests_per_second = 'many'",
        "images_per_second = 0.0",
    ],
)
def test_a_key_that_cannot_be_read_costs_no_other(
    engine: Engine, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, before = create_key(engine, TERMS)
    _, damaged = create_key(engine, TERMS)
    _, after = create_key(engine, TERMS)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE keys SET {damage} WHERE id = 2")
    ring = KeyRing(engine)
    try:
        assert [asked(ring, text) for text in (before, damaged, after)] == [
            "lab",
            "KeyRequired",
            "lab",
        ]
    finally:
        ring.close()
    assert "row 2" in caplog.text
    assert [one.key_id for one in list_keys(engine, None)] == [
        text.split("_")[1] for text in (before, after)
    ]


@only_postgresql
def test_a_key_that_postgresql_cannot_hand_over_costs_no_other(engine: Engine) -> None:
    _, damaged = create_key(engine, TERMS)
    _, text = create_key(engine, TERMS)
    with engine.begin() as connection:  # a year that Python does not know
        connection.exec_driver_sql("UPDATE keys SET expires_at = 'infinity' WHERE id = 1")
    access = read_access(engine)
    assert list(access.keys) == [text.split("_")[1]]
    assert damaged.split("_")[1] not in access.keys


def test_nothing_of_a_secret_is_in_the_database(engine: Engine, tmp_path: object) -> None:
    _, text = create_key(engine, TERMS)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM keys").all()
    secret = text.rpartition("_")[2] if text.count("_") == 2 else text.split("_", 2)[2]
    assert secret not in repr(rows)
    assert len(rows) == 1
