"""Backups beside a service that is written to; kills and lost connections amid what is moved."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.moving.backups import back_up, opened_backup, restore
from service.moving.errors import MovingError
from service.moving.store_migration import migrate_store
from tests.service.client import Classifier
from tests.service.forked import ForkedHandful
from tests.service.moving.content import content_of, digests, fill
from tests.service.pictures import picture
from tests.service.postgres import administrator, fresh_database, url
from tests.service.server import Server

NAMES = ("ants", "bees")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'handful.db'}"
    else:
        with fresh_database() as name:
            yield url(name)


def test_a_backup_beside_writers_is_a_state_that_was(
    database: str, tmp_path: Path, vit: str
) -> None:
    """Each image is a revision, so that a state has as many images as its revision says."""
    sent = dict.fromkeys(NAMES, 0)
    acknowledged = dict.fromkeys(NAMES, 0)
    enough, stop = threading.Event(), threading.Event()

    def register(made: Classifier, begin: int) -> None:
        made.put(method="zero-shot").raise_for_status()
        for number in range(begin, begin + 400):
            if stop.is_set():
                return
            sent[made.name] += 1
            made.post("class", picture(number)).raise_for_status()
            acknowledged[made.name] += 1
            if sum(acknowledged.values()) >= 10:
                enough.set()

    with (
        Server.ready(tmp_path / "data", backbone=vit, database_url=database) as server,
        server.client() as http,
    ):
        writers = [
            threading.Thread(target=register, args=(Classifier(http, name), 1000 * at))
            for at, name in enumerate(NAMES)
        ]
        for writer in writers:
            writer.start()
        assert enough.wait(60)
        for number in range(3):
            least = dict(acknowledged)
            file, _ = back_up(database, tmp_path / f"{number}.tar", 10)
            most = dict(sent)
            restored = tmp_path / f"{number}.db"
            with opened_backup(file) as opened:
                restore(opened, f"sqlite:///{restored}", 10)
            with closing(sqlite3.connect(restored)) as found:
                rows = found.execute(
                    "SELECT classifiers.name, content_revision, count(support.id), count(content)"
                    " FROM classifiers JOIN classes ON classifier_id = classifiers.id"
                    " JOIN support ON class_id = classes.id"
                    " LEFT JOIN image_contents ON image_contents.image_id = support.image_id"
                    " GROUP BY classifiers.id"
                ).fetchall()
            for name, revision, images, contents in rows:
                assert revision == images == contents
                assert least[name] <= images <= most[name]
            assert {name for name, *_ in rows} == set(NAMES)
        stop.set()
        for writer in writers:
            writer.join(60)
        assert sent == acknowledged, "writers were refused"
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database that takes a while to be moved."""
    made = f"sqlite:///{tmp_path_factory.mktemp('large') / 'handful.db'}"
    content = content_of(11, least=2, most=4)
    sample = content["images"][0]
    at = range(1, 41)
    content["images"] = [(i, f"{i:064d}", *sample[2:]) for i in at]
    content["image_contents"] = [(i, os.urandom(2**20), None) for i in at]
    for name, column in (
        ("image_views", 0),
        ("prompted_embeddings", 0),
        ("re_embedded", 0),
        ("support", 3),
        ("archived_support", 4),
    ):
        content[name] = [
            (*row[:column], 1 + place, *row[column + 1 :])
            for place, row in enumerate(content[name])
        ]
    fill(made, content)
    return made


def killed_amid(
    command: list[str], environment: dict[str, str], log: Path, amid: Callable[[], bool]
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDFUL_")}
    running = ForkedHandful(command, kept | environment, log, log)
    until = time.monotonic() + 120
    while not amid():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < until
        time.sleep(0.002)
    running.kill()
    assert running.wait(60) == -9, log.read_text()


@pytest.mark.long
def test_what_is_killed_amid_it_leaves_nothing_and_is_done_by_the_next(
    large: str, tmp_path: Path
) -> None:
    log, file, new = tmp_path / "log", tmp_path / "backup.tar", tmp_path / "new.db"

    def sizes(pattern: str) -> int:
        return sum(one.stat().st_size for one in tmp_path.glob(pattern))

    killed_amid(
        ["backup", "--no-images", str(file)],
        {"HANDFUL_DATABASE_URL": large},
        log,
        lambda: sizes("backup.tar.*.part") > 2**22,
    )
    assert not file.exists()
    back_up(large, file, 10, images=False)
    killed_amid(
        ["restore", str(file)],
        {"HANDFUL_DATABASE_URL": f"sqlite:///{new}"},
        log,
        lambda: sizes("new.db.new") > 2**22,
    )
    assert not new.exists()
    with opened_backup(file) as opened:
        restore(opened, f"sqlite:///{new}", 10)
    assert digests(f"sqlite:///{new}") == digests(large)
    assert not (tmp_path / "new.db.new").exists()
    with fresh_database() as name, administrator() as connection:

        def inserting() -> bool:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = %s AND query LIKE 'INSERT INTO image_contents%%'",
                [name],
            ).fetchone()
            return found != (0,)

        killed_amid(["migrate-store", large, url(name)], {}, log, inserting)
        until = time.monotonic() + 60
        while True:  # the server notices when it next looks at the connection
            try:
                migrate_store(large, url(name), 10)
                break
            except MovingError:  # another process has been bringing the tables up to date
                if time.monotonic() > until:
                    raise
        assert digests(url(name)) == digests(large)


@contextmanager
def ended_amid(database: str, statement: str) -> Iterator[None]:
    """The server ends the first connection to a database that is at such a statement."""
    done = threading.Event()

    def end() -> None:
        with administrator() as connection:
            while not done.is_set():
                found = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s AND query LIKE %s",
                    [database, statement],
                ).fetchall()
                if found:
                    return
                time.sleep(0.002)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_connection_that_is_lost_amid_it_leaves_nothing(large: str, tmp_path: Path) -> None:
    target = tmp_path / "new.db"
    with fresh_database() as name:
        with (
            ended_amid(name, "INSERT INTO image_contents%"),
            pytest.raises(MovingError, match="connection"),
        ):
            migrate_store(large, url(name), 10)
        migrate_store(large, url(name), 10)
        with (
            ended_amid(name, "FETCH FORWARD%"),
            pytest.raises(MovingError, match="connection"),
        ):
            migrate_store(url(name), f"sqlite:///{target}", 10)
    assert [one.name for one in tmp_path.iterdir()] == ["new.db.lock"]
