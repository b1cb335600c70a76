"""What a killed service's log has lost is noticed; all else that goes with a log is no damage."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.encoder import Encoder
from service.composition import ServiceParts
from service.moving.backups import back_up_to_stream, restore
from service.moving.snapshot import snapshot
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.lost_log import InUse
from tests.service.server import Server, run_handful

COMMITS = 5


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A database as one leaves it who is killed, with five commits in its log."""
    there = tmp_path / "there"
    there.mkdir()
    with closing(sqlite3.connect(there / "handful.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(COMMITS):
            connection.execute("INSERT INTO a VALUES (?)", (number,))
        (there / "handful.db.in-use").touch()
        shutil.copytree(there, tmp_path / "left")
    return tmp_path / "left" / "handful.db"


def rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM a").fetchall()
    return int(count)


def log_of(database: Path) -> Path:
    return database.with_name("handful.db-wal")


def mark_of(database: Path) -> Path:
    return database.with_name("handful.db.in-use")


def lost_of(database: Path) -> str | None:
    """What somebody is told who opens it next."""
    in_use = InUse(database)
    in_use.look()
    return in_use.lost


def flip(database: Path, frame: int) -> bytes:
    """Damage one commit of five; returns the log as it is then."""
    log = log_of(database)
    content = bytearray(log.read_bytes())
    size = (len(content) - 32) // COMMITS
    content[32 + size * frame + 99] ^= 1
    log.write_bytes(content)
    return bytes(content)


def url_of(database: Path) -> str:
    return f"sqlite:///{database}"


def killed_service(folder: Path) -> Path:
    """A database of Handful as a killed service leaves it, with two commits in its log."""
    there = folder / "there"
    open_database(url_of(there / "handful.db")).dispose()
    engine = open_database(url_of(there / "handful.db"))
    for _ in range(2):
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    shutil.copytree(there, folder / "left")
    engine.dispose()
    return folder / "left" / "handful.db"


def test_a_whole_log_is_recovered_and_nothing_is_said(killed: Path) -> None:
    assert lost_of(killed) is None
    assert rows(killed) == COMMITS
    assert not list(killed.parent.glob("*.damaged*"))
    assert lost_of(killed) is None  # though the log has gone meanwhile


def test_a_log_that_is_gone_is_told_until_a_service_has_told_it_and_ended(killed: Path) -> None:
    log_of(killed).unlink()
    for _ in range(2):
        in_use = InUse(killed)
        in_use.look()
        assert in_use.lost is not None
        assert "handful.db-wal is gone" in in_use.lost
        assert rows(killed) == 0  # which SQLite says nothing of
        in_use.end()  # as a command does
    in_use.forget()
    in_use.end()
    assert lost_of(killed) is None


@pytest.mark.parametrize("frame", range(COMMITS - 1))
def test_a_damaged_commit_that_others_follow_is_noticed(killed: Path, frame: int) -> None:
    content = flip(killed, frame)
    lost = lost_of(killed)
    assert lost is not None
    assert "is damaged, and was kept as handful.db-wal.damaged-1" in lost
    assert killed.with_name("handful.db-wal.damaged-1").read_bytes() == content
    assert rows(killed) == frame


def test_each_damaged_log_is_kept_whatever_comes_after(killed: Path) -> None:
    whole = log_of(killed).read_bytes()
    damaged = []
    for frame in (1, None, 2, None):
        log_of(killed).write_bytes(whole)  # another crash
        if frame is not None:
            damaged.append(flip(killed, frame))
        lost_of(killed)
    kept = sorted(killed.parent.glob("*.damaged*"))
    assert [one.name for one in kept] == ["handful.db-wal.damaged-1", "handful.db-wal.damaged-2"]
    assert [one.read_bytes() for one in kept] == damaged


def test_the_last_commit_may_be_torn_by_a_loss_of_power(killed: Path) -> None:
    log = log_of(killed)
    log.write_bytes(log.read_bytes()[:-99] + bytes(99))
    assert lost_of(killed) is None
    assert rows(killed) == COMMITS - 1


def test_a_log_that_others_write_to_is_left_to_them(killed: Path) -> None:
    with closing(sqlite3.connect(killed)) as other:
        other.execute("SELECT * FROM a")
        before = flip(killed, 1)
        assert lost_of(killed) is None
        assert log_of(killed).read_bytes() == before
        assert mark_of(killed).exists()


# Everybody who opens it


def test_who_is_killed_leaves_the_mark_and_who_ends_takes_it_away(tmp_path: Path) -> None:
    database = killed_service(tmp_path)
    assert mark_of(database).exists()
    assert not mark_of(tmp_path / "there" / "handful.db").exists()


def test_a_command_may_be_the_first_after_a_kill(tmp_path: Path) -> None:
    database = killed_service(tmp_path)
    open_database(url_of(database)).dispose()
    assert not log_of(database).exists()
    assert lost_of(database) is None


def test_what_a_command_finds_lost_is_kept_for_the_service(tmp_path: Path) -> None:
    database = killed_service(tmp_path)
    log_of(database).unlink()
    back_up_to_stream(url_of(database), BytesIO(), 10)
    open_database(url_of(database)).dispose()
    assert "handful.db-wal is gone" in (lost_of(database) or "")


def test_the_check_and_the_service_tell_it(tmp_path: Path, vit: str) -> None:
    database = killed_service(tmp_path)
    log_of(database).unlink()
    checked = run_handful("check", "--data-dir", str(database.parent))
    assert checked.returncode == 1, checked.stderr
    assert "damaged: structure: handful.db-wal is gone" in checked.stdout
    with Server.ready(database.parent, backbone=vit, check_hours=0) as server:
        with server.client() as http:
            assert http.get("/readyz").json()["storage"] == "damaged"
        server.stop()
    assert lost_of(database) is None


def test_a_backup_may_outlast_the_service(tmp_path: Path) -> None:
    database = tmp_path / "handful.db"
    service = open_database(url_of(database))
    with snapshot(url_of(database), 10):
        service.dispose()
        assert mark_of(database).exists()  # the log may be lost still
    assert not mark_of(database).exists()
    assert lost_of(database) is None


def test_a_start_that_fails_is_no_kill(tmp_path: Path) -> None:
    def load(*_: object) -> Encoder:
        raise StorageError("no backbone")

    for _ in range(2):
        with pytest.raises(StorageError, match="no backbone") as failed:
            ServiceParts.start(Settings(data_dir=tmp_path), load)
        del failed  # and the lock with its frames
    assert not mark_of(tmp_path / "handful.db").exists()
    assert lost_of(tmp_path / "handful.db") is None


def test_a_start_on_a_newer_database_is_no_kill(tmp_path: Path) -> None:
    database = tmp_path / "handful.db"
    open_database(url_of(database)).dispose()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="another version"):
        ServiceParts.start(Settings(data_dir=tmp_path))
    assert not mark_of(database).exists()
    assert lost_of(database) is None


def test_a_database_that_is_restored_has_lost_nothing(tmp_path: Path) -> None:
    database = killed_service(tmp_path)
    log_of(database).unlink()
    backup = BytesIO()
    back_up_to_stream(url_of(database), backup, 10)
    database.unlink()
    backup.seek(0)
    restore(backup, url_of(database), 10)
    assert lost_of(database) is None
