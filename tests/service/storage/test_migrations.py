"""Databases of every version, with rows in every table, brought up to date on both databases."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from adapters.backbones import Backbone
from service.storage import engine as engine_module
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.tables import Base
from tests.service.client import Classifier
from tests.service.databases import KINDS, empty_database
from tests.service.forked import ForkedHandful
from tests.service.pictures import picture
from tests.service.postgres import administrator
from tests.service.registries import embeddings, image, plain_store, registry
from tests.service.server import Server
from tests.service.storage.revisions import (
    LABELS,
    REVISIONS,
    make_at,
    rows_of,
    tables_of,
    upgrade,
)

PATIENCE = 60
# Columns by the names that they have now.
RENAMED = {("images", "sha256"): "content_key"}


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest) -> Iterator[str]:
    with empty_database(request.param) as url:
        yield url


def test_tables_are_the_same_ones_whichever_way(empty: str) -> None:
    """The list of revisions begins where nothing is and ends where the code is."""
    engine = create_engine(empty)
    upgrade(engine, REVISIONS[0])
    assert {table.name for table in tables_of(engine)} < set(Base.metadata.tables)
    upgrade(engine, REVISIONS[-1])
    assert {table.name for table in tables_of(engine)} == set(Base.metadata.tables)
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_a_version_wrote_is_there_and_answers(
    empty: str, revision: str, backbone: Backbone
) -> None:
    before = make_at(empty, revision, backbone.fingerprint)
    assert all(before.values())
    engine = open_database(empty)
    try:
        after = rows_of(engine, tables_of(engine))
        for table, rows in before.items():
            assert len(after[table]) == len(rows), table
            for old, new in zip(rows, after[table], strict=True):
                for column, value in old.items():
                    now = new[RENAMED.get((table, column), column)]
                    if (table, column, value) == ("images", "media_type", "image/mpo"):
                        assert now == ("image/jpeg" if revision < "0005" else value)
                    else:
                        assert now == value, (table, column)
        made = registry(plain_store(engine, backbone), backbone, one_of_several=True)
        live = made.live("insects")
        assert tuple(live.classes) == LABELS
        [answer] = live.predict(embeddings(7), 2, 9)
        assert len(answer.evidence) == 4
        assert {top.label for top in answer.top_k} == set(LABELS)
        [added] = made.add_images("insects", [("ant", image(50))])
        assert added.created
        assert len(made.live("insects").support) == 5
    finally:
        engine.dispose()


def test_a_service_answers_from_the_oldest_database(
    empty: str, backbone: Backbone, vit: str, tmp_path: Path
) -> None:
    make_at(empty, REVISIONS[0], backbone.fingerprint)
    with Server.ready(tmp_path, backbone=vit, database_url=empty) as running:
        with running.client() as http:
            assert len(Classifier(http, "insects").predictions(picture(1))) == 1
            [listed] = http.get("/v1/classifiers").json()["classifiers"]
            assert listed["name"] == "insects"
            assert listed["problem"] is None
        running.stop()
        assert "Traceback" not in running.log.read_text()


def stop_amid_migrations() -> None:
    """Run first in a process: half of the migrations are made, in one transaction, and no more."""
    whole = engine_module.upgrade

    def half(connection: Connection, _: str = "head") -> None:
        whole(connection, REVISIONS[len(REVISIONS) // 2])
        print("amid", flush=True)
        time.sleep(600)

    setattr(engine_module, "upgrade", half)  # noqa: B010


def test_a_process_that_is_killed_amid_migrations_leaves_the_database_as_it_was(
    empty: str, backbone: Backbone, tmp_path: Path
) -> None:
    before = make_at(empty, REVISIONS[3], backbone.fingerprint)
    log = tmp_path / "log"
    environment = {**os.environ, "HANDFUL_DATABASE_URL": empty}
    killed = ForkedHandful(["keys", "list"], environment, log, log, stop_amid_migrations)
    until = time.monotonic() + PATIENCE
    while not log.exists() or "amid" not in log.read_text():
        assert killed.poll() is None, log.read_text()
        assert time.monotonic() < until
        time.sleep(0.05)
    killed.kill()
    assert killed.wait(PATIENCE) == -9
    engine = create_engine(empty)
    try:
        assert rows_of(engine, tables_of(engine)) == before
        open_database(empty).dispose()
        after = rows_of(engine, tables_of(engine))
        assert {table: len(after[table]) for table in before} == {
            table: len(rows) for table, rows in before.items()
        }
    finally:
        engine.dispose()


def test_a_database_of_a_newer_version_is_refused_and_untouched(empty: str) -> None:
    open_database(empty).dispose()
    engine = create_engine(empty)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = rows_of(engine, tables_of(engine))
    with pytest.raises(StorageError, match="another version of Handful"):
        open_database(empty)
    assert rows_of(engine, tables_of(engine)) == before
    engine.dispose()


def test_of_services_that_start_together_one_migrates_and_the_other_waits(
    backbone: Backbone, vit: str, tmp_path: Path
) -> None:
    with empty_database("postgresql") as url, ThreadPoolExecutor(2) as threads:
        make_at(url, REVISIONS[2], backbone.fingerprint)
        with administrator(url.rpartition("/")[2]) as other, other.transaction():
            other.execute("LOCK TABLE classifiers IN ACCESS SHARE MODE")  # a migration takes long
            data_dirs = [tmp_path / name for name in "ab"]
            starting = [
                threads.submit(Server.ready, data_dir, backbone=vit, database_url=url)
                for data_dir in data_dirs
            ]
            logs = [data_dir / "server.log" for data_dir in data_dirs]
            waiting = "waits for another process, which brings the tables up to date"
            until = time.monotonic() + PATIENCE
            while not any(log.exists() and waiting in log.read_text() for log in logs):
                assert time.monotonic() < until
                time.sleep(0.05)
            assert not any(one.done() for one in starting)
        with starting[0].result() as one, starting[1].result() as two:
            for server in (one, two):
                with server.client() as http:
                    asked = http.post(
                        "/v1/classifiers/insects/predict", files={"files": picture(1)}
                    )
                    assert asked.status_code == 200, asked.text
                server.stop()
                assert "Traceback" not in server.log.read_text()
        assert sum(waiting in log.read_text() for log in logs) == 1
