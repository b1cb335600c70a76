"""A database that is locked, read-only, damaged or gone: problems that say so, in bounded time."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
from sqlalchemy import Engine, text

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.problems import StorageFull, StorageUnavailable
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.failures import problem_of
from service.storage.fingerprints import Origin
from service.storage.patience import Patience
from service.storage.store import Store
from service.storage.transactions import writing
from tests.service.client import Classifier, of_four, problem
from tests.service.conftest import DATABASE_SECONDS, Troubled
from tests.service.pictures import picture
from tests.service.server import Server

NOTHING = Change(settings=ClassifierSettings(), tuning=Tuning())
ANTS = replace(NOTHING, classes_added=(NewClass(label="ant"),))
HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(troubled: Troubled) -> Server:
    return troubled.server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process is in the midst of a write."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(30)


def test_while_another_process_holds_the_lock_writes_are_503_and_queries_go_on(
    server: Server, http: httpx.Client
) -> None:
    made = of_four(http, "locked")
    before, answer = made.state(), made.predictions(picture(1))
    with locked(server.data_dir / "handful.db"):
        refused = made.post("ant", picture(9))
        problem(refused, 503, "storage-unavailable", "Another process holds it locked")
        assert int(refused.headers["retry-after"]) > 0
        for write in (
            made.put(method="tip-adapter"),
            http.put(made.class_url("wasp")),
            http.delete(made.class_url("bee")),
            http.delete(made.url),
            Classifier(http, "never").put(),
        ):
            problem(write, 503, "storage-unavailable", "Nothing was changed")
        assert made.predictions(picture(1)) == answer
        assert made.state() == before
    assert made.post("ant", picture(9)).status_code == 201
    assert made.counts() == {"ant": 3, "bee": 2}
    assert Classifier(http, "never").predict(picture(1)).status_code == 404


def test_sixty_writers_get_503_together_while_the_database_is_locked(
    server: Server, http: httpx.Client
) -> None:
    made = of_four(http, "crowd")
    with locked(server.data_dir / "handful.db"), ThreadPoolExecutor(60) as threads:
        begun = time.monotonic()
        answers = threads.map(lambda i: Classifier(http, f"crowd-{i}").put(), range(60))
        assert {answer.status_code for answer in answers} == {503}
        # By eights, each for a second, it would be eight; generous for slow machines.
        assert time.monotonic() - begun < 60 * DATABASE_SECONDS / 2
        assert made.predict(picture(1)).status_code == 200
    assert Classifier(http, "crowd-1").put().status_code == 201


def test_a_database_that_is_gone_is_503_until_it_is_back(
    server: Server, http: httpx.Client
) -> None:
    made = of_four(http, "lasting")
    answer, before = made.predictions(picture(1)), made.state()
    away = server.data_dir.with_name("away")
    server.data_dir.rename(away)
    try:
        for refused in (
            made.post("ant", picture(9)),
            made.put(method="tip-adapter"),
            http.delete(made.url),
            http.get("/v1/classifiers"),
            Classifier(http, "other").predict(picture(1)),
        ):
            told = problem(refused, 503, "storage-unavailable", "is gone", "Put its folder")
            assert str(server.data_dir.parent) not in told["detail"]  # it goes to tenants
        assert made.predictions(picture(1)) == answer
        server.data_dir.mkdir()
        problem(made.post("ant", picture(9)), 503, "storage-unavailable", "is gone")
        assert list(server.data_dir.iterdir()) == []  # no new one was made
        shutil.copy(away / "handful.db", server.data_dir)
        problem(made.post("ant", picture(9)), 503, "storage-unavailable", "Restart the service")
        shutil.rmtree(server.data_dir)
    finally:
        away.rename(server.data_dir)
    assert made.state() == before
    assert made.post("ant", picture(9)).status_code == 201


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(f"sqlite:///{tmp_path / 'handful.db'}", 0.1)
    yield opened
    opened.dispose()


def test_a_database_that_can_only_be_read_is_told_and_read(engine: Engine) -> None:
    store = Store(engine, Origin("f" * 64, "lite"))
    store.create("a", NOTHING)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA query_only=ON"))
    with pytest.raises(StorageUnavailable) as refused:
        store.create("b", NOTHING)
    assert "It can only be read" in str(refused.value.detail)
    assert [one.name for one in store.classifiers()] == ["a"]


def test_a_damaged_database_file_is_reported(engine: Engine, tmp_path: Path) -> None:
    store = Store(engine, Origin("f" * 64, "lite"))
    for number in range(50):
        store.create(f"a{number}", ANTS)
    engine.dispose()
    file = tmp_path / "handful.db"
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StorageUnavailable) as refused:
        store.classifiers()
    assert "damaged" in str(refused.value.detail)


def test_a_waiting_writer_of_this_process_is_not_taken_for_a_lock(engine: Engine) -> None:
    store = Store(engine, Origin("f" * 64, "lite"))
    with ThreadPoolExecutor(1) as threads:
        with writing(engine):
            waiting = threads.submit(store.create, "a", NOTHING)
            time.sleep(0.3)  # more than is waited for others
            assert not waiting.done()
        waiting.result(30)
    assert [one.name for one in store.classifiers()] == ["a"]


def test_forty_threads_find_a_connection(engine: Engine) -> None:
    store = Store(engine, Origin("f" * 64, "lite"))

    def look(_: int) -> int:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            time.sleep(0.2)
        return len(store.classifiers())

    with ThreadPoolExecutor(48) as threads:
        assert list(threads.map(look, range(48))) == [0] * 48


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SQLITE_BUSY", "holds it locked"),
        ("SQLITE_BUSY_RECOVERY", "holds it locked"),
        ("SQLITE_LOCKED", "holds it locked"),
        ("SQLITE_READONLY_DIRECTORY", "can only be read"),
        ("SQLITE_CANTOPEN", "cannot be opened"),
        ("SQLITE_PERM", "cannot be opened"),
        ("SQLITE_IOERR_FSYNC", "Reading or writing failed"),
        ("SQLITE_CORRUPT", "damaged"),
        ("SQLITE_FULL", "There is no room"),
    ],
)
def test_each_failure_of_sqlite_has_words(name: str, told: str, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorname = name
    found = problem_of(error, tmp_path / "handful.db")
    assert found is not None
    assert told in str(found.detail)
    assert isinstance(found, StorageFull) == (name == "SQLITE_FULL")


@pytest.mark.parametrize(
    ("sqlstate", "told"),
    [
        ("55P03", "locked for too long"),
        ("57014", "took too long"),
        ("25006", "can only be read"),
        ("08006", "connection was lost"),
        ("42501", "look at its grants"),
        ("53300", "no resources left"),
        ("57P01", "stopping or starting"),
        ("58030", "reading or writing failed"),
        ("XX001", "internal error or damage"),
        ("26000", "HANDFUL_DATABASE_TRANSACTION_POOLING=true"),
        ("53100", "disk of the database server is full"),
    ],
)
def test_each_failure_of_postgresql_has_words(sqlstate: str, told: str) -> None:
    found = problem_of(psycopg.errors.lookup(sqlstate)("as PostgreSQL says it"), None)
    assert found is not None
    assert told in str(found.detail)
    assert isinstance(found, StorageFull) == (sqlstate == "53100")
    assert problem_of(psycopg.errors.lookup("42601")("a syntax error"), None) is None


def test_a_server_that_does_not_answer_is_a_failure_of_postgresql() -> None:
    """Where packets are dropped the driver's own timeout is all there is, without a code."""
    found = problem_of(psycopg.errors.ConnectionTimeout("connection timeout expired"), None)
    assert isinstance(found, StorageUnavailable)


def test_a_server_that_never_answers_is_named_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StorageError, match="could not be made"):
            open_database(f"postgresql+psycopg://postgres@127.0.0.1:{port}/handful", 2)


def test_a_programming_error_is_no_storage_problem(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("no such table: classifier")
    error.sqlite_errorname = "SQLITE_ERROR"
    assert problem_of(error, tmp_path / "handful.db") is None
    assert problem_of(ValueError("of ours"), None) is None


def test_lock_patience_drops_after_a_wait_and_recovers_after_an_answer() -> None:
    patience = Patience(10)
    assert patience.seconds == 10
    patience.lose()
    assert patience.seconds < 1
    patience.regain()
    assert patience.seconds == 10


def test_a_data_folder_that_can_only_be_read_ends_the_start_with_the_reason(
    tmp_path: Path,
) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'handful.db'}")
    engine.dispose()
    mount = ["mount", "--bind", str(tmp_path), str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        again = ["mount", "-o", "remount,ro,bind", str(tmp_path)]
        if subprocess.run(again, capture_output=True, check=False).returncode != 0:
            pytest.skip("no file system can be mounted read-only here")
        with pytest.raises(StorageError, match=r"read-only|cannot be opened"):
            open_database(f"sqlite:///{tmp_path / 'handful.db'}")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql+psycopg://postgres@127.0.0.1:1/handful", "port 1 failed"),
        ("postgresql+nosuch://host/handful", "no driver"),
        ("sqlite+aiosqlite:///handful.db", "no driver"),
        ("nonsense", "HANDFUL_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_at_the_start(url: str, told: str) -> None:
    with pytest.raises(StorageError, match=told):
        open_database(url, 1)
