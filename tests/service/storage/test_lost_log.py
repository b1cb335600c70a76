"""What a killed service's log has lost is noticed; what a loss of power tears is no damage."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.storage.lost_log import InUse

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


def test_a_whole_log_is_recovered_and_nothing_is_said(killed: Path) -> None:
    assert InUse(killed).begin() is None
    assert rows(killed) == COMMITS
    assert not list(killed.parent.glob("*.damaged"))


def test_a_log_that_is_gone_is_noticed_once(killed: Path) -> None:
    log_of(killed).unlink()
    lost = InUse(killed).begin()
    assert lost is not None
    assert "handful.db-wal is gone" in lost
    assert rows(killed) == 0  # which SQLite says nothing of
    in_use = InUse(killed)
    in_use.end()
    assert in_use.begin() is None


@pytest.mark.parametrize("frame", range(COMMITS - 1))
def test_a_damaged_commit_that_others_follow_is_noticed(killed: Path, frame: int) -> None:
    log = log_of(killed)
    content = bytearray(log.read_bytes())
    size = (len(content) - 32) // COMMITS
    content[32 + size * frame + 99] ^= 1
    log.write_bytes(content)
    lost = InUse(killed).begin()
    assert lost is not None
    assert "is damaged" in lost
    assert log.with_name("handful.db-wal.damaged").read_bytes() == content
    assert rows(killed) == frame


def test_the_last_commit_may_be_torn_by_a_loss_of_power(killed: Path) -> None:
    log = log_of(killed)
    log.write_bytes(log.read_bytes()[:-99] + bytes(99))
    assert InUse(killed).begin() is None
    assert rows(killed) == COMMITS - 1


def test_who_ends_by_itself_leaves_no_mark(tmp_path: Path) -> None:
    database = tmp_path / "handful.db"
    in_use = InUse(database)
    assert in_use.begin() is None
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
        in_use.end()
        assert database.with_name("handful.db.in-use").exists()  # somebody has it still
    in_use.end()
    assert not database.with_name("handful.db.in-use").exists()
    assert in_use.begin() is None
