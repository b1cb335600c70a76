"""What a power cut leaves: all that was flushed, and any part of what was not."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.campaigns.faulty_disk.disk import FaultyDisk
from tests.campaigns.faulty_disk.power import cut_power

_WRITES = """
import os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(file, b"a" * 1024)
os.fsync(file)
os.pwrite(file, b"b" * 1024, 512)
os.ftruncate(file, 1100)
os.kill(os.getpid(), signal.SIGKILL)
"""
_COMMITS = """
import os, signal, sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as made:
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("PRAGMA synchronous=FULL")
    made.execute("PRAGMA wal_autocheckpoint=20")
    made.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER, bytes BLOB)")
    for number in range(int(sys.argv[2])):
        made.execute("INSERT INTO rows VALUES (?, ?)", (number, os.urandom(700)))
        print(number, flush=True)
    made.execute("BEGIN IMMEDIATE")
    made.execute("INSERT INTO rows VALUES (-1, ?)", (os.urandom(9000),))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    for name in ("files", "place"):
        (tmp_path / name).mkdir()
    return FaultyDisk(tmp_path / "files", tmp_path / "place")


def ran(program: str, environment: Mapping[str, str], *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.stdout


def test_only_what_was_not_flushed_may_be_missing(disk: FaultyDisk) -> None:
    file, found = disk.folder / "file", set()
    for seed in range(40):
        file.unlink(missing_ok=True)
        ran(_WRITES, disk.environment, file)
        assert file.read_bytes() == b"a" * 512 + b"b" * 588  # of the kill alone
        cut_power(disk.folder, disk.log, random.Random(seed))
        content = file.read_bytes()
        assert content.startswith(b"a" * 512)
        found.add((content.count(b"a"), content.count(b"b")))
    assert {(512, 588), (1024, 0), (512, 1024)} <= found  # all, nothing, all but the truncation
    assert len(found) > 3  # and parts


def test_what_sqlite_has_committed_is_there_after_a_power_cut(disk: FaultyDisk) -> None:
    file, missing = disk.folder / "made.db", 0
    for seed in range(25):
        told = ran(_COMMITS, disk.environment, file, 30 + seed)
        missing += cut_power(disk.folder, disk.log, random.Random(seed))
        with closing(sqlite3.connect(file)) as made:
            assert made.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            there = {number for (number,) in made.execute("SELECT number FROM rows")}
            made.execute("DELETE FROM rows")
            made.commit()
        assert there == set(map(int, told.split()))
    assert missing > 0


def test_a_disk_that_drops_flushes_loses_commits(disk: FaultyDisk) -> None:
    lost = 0
    with disk.faults(drops_flushes=1):
        for seed in range(10):
            file = disk.folder / f"{seed}.db"
            told = ran(_COMMITS, disk.environment, file, 30)
            cut_power(disk.folder, disk.log, random.Random(seed))
            try:
                with closing(sqlite3.connect(file)) as made:
                    [(there,)] = made.execute("SELECT count(*) FROM rows").fetchall()
            except sqlite3.Error:  # not even a database any more
                there = 0
            lost += there < len(told.split())
    assert lost > 5


@pytest.mark.parametrize(
    ("fault", "told"),
    [("is_full", "No space left"), ("fails_flushes", "Input/output"), ("fails_writes", "Input/")],
)
def test_other_faults_are_told_as_the_system_tells_them(
    disk: FaultyDisk, fault: str, told: str
) -> None:
    program = "import os, sys; f = os.open(sys.argv[1], 66); os.write(f, b'x'); os.fsync(f)"
    with disk.faults(**{fault: 1}):
        done = subprocess.run(
            [sys.executable, "-c", program, str(disk.folder / "file")],
            env=dict(disk.environment),
            capture_output=True,
            text=True,
            check=False,
        )
    assert told in done.stderr
    assert not ran(program, disk.environment, disk.folder / "file")


def test_the_clock_is_ahead_and_the_monotonic_one_is_not(disk: FaultyDisk) -> None:
    program = "import time; print(time.time(), time.monotonic())"
    before = list(map(float, ran(program, disk.environment).split()))
    with disk.faults(clock_seconds=3600):
        after = list(map(float, ran(program, disk.environment).split()))
    assert 3600 <= after[0] - before[0] < 3700
    assert after[1] - before[1] < 100
