"""A database to another one and back: every cell as it was, or a clear refusal and nothing left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from service.moving.errors import MovingError
from service.moving.store_migration import migrate_store
from service.storage.engine import open_database
from service.storage.errors import InUse
from service.storage.lock import lock_database
from service.storage.tables import SupportRow
from tests.service.moving.content import LAST, content_of, digests, fill, typed_rows
from tests.service.postgres import administrator, fresh_database, url
from tests.service.server import run_handful


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with fresh_database() as name:
        yield url(name)


def sqlite(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def filled(tmp_path: Path) -> str:
    made = sqlite(tmp_path / "filled.db")
    fill(made, content_of(7, least=4, most=8))
    return made


def name_of(server: str) -> str:
    return server.rpartition("/")[2]


def test_a_store_moved_to_postgresql_and_back_is_the_same(
    filled: str, server: str, tmp_path: Path
) -> None:
    there = run_handful("migrate-store", filled, server)
    assert there.returncode == 0, there.stderr
    assert "equal" in there.stdout
    back = sqlite(tmp_path / "back.db")
    assert run_handful("migrate-store", server, back).returncode == 0
    assert digests(back) == digests(server) == digests(filled)
    assert sum(digest.rows for digest in digests(back).values()) > 60
    assert typed_rows(back) == typed_rows(server) == typed_rows(filled)
    for path in (filled, back):
        with closing(sqlite3.connect(path.removeprefix("sqlite:///"))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_ids_go_on_behind_the_last_one_that_was_given(
    filled: str, server: str, tmp_path: Path
) -> None:
    migrate_store(filled, server, 10)
    back = sqlite(tmp_path / "back.db")
    migrate_store(server, back, 10)
    for moved in (server, back):
        engine = open_database(moved)
        row = next(one for one in typed_rows(moved)["support"])
        values = {
            "public_id": "new",
            "class_id": row[2],
            "image_id": row[3],
            "filename": "",
        }
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM support")
            made = connection.execute(insert(SupportRow).values(values)).inserted_primary_key
        engine.dispose()
        assert made is not None
        assert made[0] == LAST + 1


def test_a_target_that_is_not_empty_is_refused_and_left(
    filled: str, server: str, tmp_path: Path
) -> None:
    other = sqlite(tmp_path / "other.db")
    open_database(other).dispose()
    open_database(server).dispose()
    for target, mend in ((other, "move it away"), (server, "CREATE DATABASE")):
        before = digests(target)
        with pytest.raises(MovingError, match=mend):
            migrate_store(filled, target, 10)
        assert digests(target) == before


def test_the_log_of_a_database_that_is_gone_does_not_get_into_the_new_one(
    filled: str, tmp_path: Path
) -> None:
    (tmp_path / "new.db-wal").write_bytes(b"log")
    with pytest.raises(MovingError, match=r"new\.db-wal is there"):
        migrate_store(filled, sqlite(tmp_path / "new.db"), 10)
    assert not (tmp_path / "new.db").exists()


def test_a_source_that_is_served_is_refused(filled: str, server: str, tmp_path: Path) -> None:
    lock = lock_database(filled)
    assert lock is not None
    with pytest.raises(InUse, match="stop it"):
        migrate_store(filled, sqlite(tmp_path / "other.db"), 10)
    lock.release()
    migrate_store(filled, server, 10)
    serving = open_database(server)
    with pytest.raises(InUse, match="connections of services"):
        migrate_store(server, sqlite(tmp_path / "other.db"), 10)
    serving.dispose()
    assert not (tmp_path / "other.db").exists()


def test_what_only_sqlite_can_hold_is_told_by_its_row(filled: str, server: str) -> None:
    with closing(sqlite3.connect(filled.removeprefix("sqlite:///"))) as database:
        database.execute(
            "UPDATE audit SET tenant = 'a' || char(0) WHERE id = (SELECT max(id) FROM audit)"
        )
        [[audit]] = database.execute("SELECT max(id) FROM audit").fetchall()
        database.commit()
    with pytest.raises(MovingError, match=f"row of audit with id {audit} cannot be written.*NUL"):
        migrate_store(filled, server, 10)
    with closing(sqlite3.connect(filled.removeprefix("sqlite:///"))) as database:
        database.execute("UPDATE audit SET tenant = '', at = 'yesterday' WHERE id = ?", [audit])
        database.commit()
    with pytest.raises(MovingError, match=f"row of audit with id {audit} holds in at 'yesterday'"):
        migrate_store(filled, server, 10)
    with administrator(name_of(server)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


def test_sources_that_are_none_are_told(filled: str, server: str, tmp_path: Path) -> None:
    target = sqlite(tmp_path / "target.db")
    for source, told in (
        (sqlite(tmp_path / "none.db"), "there is no database"),
        (server, "no database of Handful"),
        ("sqlite://", "in memory"),
        (filled, "the same database"),
    ):
        with pytest.raises(MovingError, match=told):
            migrate_store(source, filled if source == filled else target, 10)
    refused = run_handful("migrate-store", "nonsense", target)
    assert refused.returncode == 1
    assert "no database URL" in refused.stderr
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "target.db").exists()
