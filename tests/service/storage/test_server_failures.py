"""PostgreSQL that crashes, becomes read-only or fails over, under an engine and under a service."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.problems import StorageUnavailable
from service.settings.postgresql import PostgreSQLSettings
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.store import Store
from tests.service.client import Classifier, of_four, problem
from tests.service.clusters import HOST, Cluster, own_cluster
from tests.service.pictures import picture
from tests.service.postgres import Wire
from tests.service.server import Server
from tests.service.stored import OWN

SECONDS = 1.0
PATIENCE = 60.0


def create(store: Store, name: str) -> None:
    ants = (NewClass(label="ant"),)
    store.create(name, Change(settings=ClassifierSettings(), tuning=Tuning(), classes_added=ants))


def names(engine: Engine) -> list[str]:
    return sorted(one.name for one in Store(engine, OWN).classifiers())


@dataclass
class Pair:
    """A primary, and a standby that each commit waits for."""

    primary: Cluster
    standby: Cluster

    def url(self, **parameters: str) -> str:
        given = "&".join(f"{name}={value}" for name, value in parameters.items())
        hosts = "&".join(f"host={HOST}:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql+psycopg://postgres@/handful?{hosts}&{given}".rstrip("&")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with own_cluster("primary") as primary:
        with primary.administrator() as administrator:
            administrator.execute("CREATE DATABASE handful")
        standby = primary.standby(primary.folder.parent / "standby")
        try:
            open_database(primary.url("handful")).dispose()
            with primary.administrator() as administrator:
                setting(administrator, "synchronous_standby_names", "standby")
            yield Pair(primary, standby)
        finally:
            with suppress(RuntimeError):
                standby.stop()


def setting(administrator: psycopg.Connection, name: str, value: str | None) -> None:
    """Change a setting of a running server, or take it back."""
    if value is None:
        administrator.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
    else:
        command = sql.SQL("ALTER SYSTEM SET {} = {}")
        administrator.execute(command.format(sql.Identifier(name), sql.Literal(value)))
    administrator.execute("SELECT pg_reload_conf()")


def until_it_shows(engine: Engine, name: str, value: str) -> None:
    """Wait until the server has read a setting."""
    until = time.monotonic() + PATIENCE
    while True:
        with engine.connect() as connection:
            if connection.scalar(text(f"SHOW {name}")) == value:
                return
        assert time.monotonic() < until


def eventually(call: Callable[[], object]) -> None:
    """Call it until it raises nothing that passes."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            call()
        except StorageUnavailable:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def test_a_commit_that_no_standby_has_is_not_acknowledged(pair: Pair) -> None:
    engine = open_database(pair.primary.url("handful"), SECONDS)
    store = Store(engine, OWN)
    create(store, "kept")
    with pair.primary.administrator() as administrator:
        setting(administrator, "synchronous_standby_names", "gone")
        try:
            until_it_shows(engine, "synchronous_standby_names", "gone")
            with pytest.raises(StorageUnavailable) as refused:
                create(store, "alone")
            assert "synchronous standby did not answer" in str(refused.value.detail)
        finally:
            setting(administrator, "synchronous_standby_names", "standby")
    eventually(lambda: create(store, "after"))
    assert {"kept", "after"} <= set(names(engine))
    for name in names(engine):
        found = store.find(name)
        assert found is not None
        store.delete_classifier(found, name)
    engine.dispose()


def test_a_standby_is_refused_and_the_primary_found_among_hosts(pair: Pair) -> None:
    with pytest.raises(StorageError, match="it is a standby"):
        open_database(pair.standby.url("handful"), SECONDS)
    turned = Pair(pair.standby, pair.primary)
    engine = open_database(turned.url(), SECONDS)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_is_in_recovery()")) is False
    engine.dispose()


def test_a_connection_to_a_server_that_only_reads_is_let_go_of(pair: Pair) -> None:
    """As behind an address that moves from one server to the other."""
    with Wire(pair.primary.port) as wire:
        place = f"postgresql+psycopg://postgres@{HOST}:{wire.port}/handful"
        engine = open_database(f"{place}?target_session_attrs=any", SECONDS)
        engine.dispose()
        wire.lead_to(pair.standby.port)
        assert names(engine) == []
        with pytest.raises(StorageUnavailable) as refused:
            create(Store(engine, OWN), "a")
        assert "can only be read" in str(refused.value.detail)
        wire.lead_to(pair.primary.port)
        create(Store(engine, OWN), "a")
        Store(engine, OWN).delete_classifier(Store(engine, OWN).classifiers()[0].id)
        engine.dispose()


def test_no_more_connections_than_the_pool_has(pair: Pair) -> None:
    small = PostgreSQLSettings(database_pool_size=2, database_pool_overflow=1)
    engine = open_database(pair.primary.url("handful"), 30, small)
    used: list[int] = []

    def ask(_: int) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_sleep(0.02)"))
            used.append(
                connection.scalar(
                    text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'handful'")
                )
                or 0
            )

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(ask, range(60)))
    assert max(used) <= 3
    create(Store(engine, OWN), "a")
    Store(engine, OWN).delete_classifier(Store(engine, OWN).classifiers()[0].id)
    engine.dispose()


def test_what_the_url_says_of_connections_wins(pair: Pair) -> None:
    asked = "application_name=mine&options=-c%20lock_timeout%3D77&connect_timeout=3"
    settings = PostgreSQLSettings(database_statement_seconds=2.5)
    engine = open_database(f"{pair.primary.url('handful')}?{asked}", SECONDS, settings)
    with engine.connect() as connection:
        for name, value in {
            "application_name": "mine",
            "lock_timeout": "77ms",
            "statement_timeout": "2500ms",
            "idle_in_transaction_session_timeout": "2500ms",
        }.items():
            assert connection.scalar(text(f"SHOW {name}")) == value
        with pytest.raises(StorageUnavailable) as refused:
            connection.execute(text("SELECT pg_sleep(20)"))
        assert "took too long" in str(refused.value.detail)
    engine.dispose()


def test_a_user_with_few_rights_is_enough_and_one_with_fewer_is_told(pair: Pair) -> None:
    with pair.primary.administrator() as administrator:
        for command in (
            "CREATE ROLE service LOGIN CONNECTION LIMIT 2",
            "CREATE ROLE nobody LOGIN",
            "CREATE DATABASE owned OWNER service",
            "REVOKE ALL ON DATABASE owned FROM PUBLIC",
        ):
            administrator.execute(command)
    place = f"{HOST}:{pair.primary.port}"
    small = PostgreSQLSettings(database_pool_size=1, database_pool_overflow=0)
    engine = open_database(f"postgresql+psycopg://service@{place}/owned", SECONDS, small)
    create(Store(engine, OWN), "a")
    with engine.connect(), pair.primary.administrator() as administrator:
        administrator.execute("ALTER ROLE service CONNECTION LIMIT 1")
        with pytest.raises(StorageError, match="too many connections"):
            open_database(f"postgresql+psycopg://service@{place}/owned", SECONDS)
    engine.dispose()
    with pytest.raises(StorageError, match="permission denied for database"):
        open_database(f"postgresql+psycopg://nobody@{place}/owned", SECONDS)
    with pytest.raises(StorageError, match="may not do this"):
        open_database(f"postgresql+psycopg://nobody@{place}/postgres", SECONDS)


def test_tls_is_checked_by_the_parameters_of_the_url(pair: Pair, tmp_path: Path) -> None:
    server, other = (certificate(tmp_path, name) for name in ("server", "other"))
    for file in (server.with_suffix(".key"), server):
        placed = Path(shutil.copy(file, pair.primary.folder))
        shutil.chown(placed, pair.primary.folder.owner(), pair.primary.folder.group())
        placed.chmod(0o600)
    with pair.primary.administrator() as administrator:
        setting(administrator, "ssl_cert_file", "server.crt")
        setting(administrator, "ssl_key_file", "server.key")
        setting(administrator, "ssl", "on")
        place = f"{pair.primary.url('handful')}?sslmode=verify-full&sslrootcert="
        until = time.monotonic() + PATIENCE
        while True:  # until the server has read its settings
            with suppress(StorageError):
                engine = open_database(f"{place}{server}", SECONDS)
                break
            assert time.monotonic() < until
        with engine.connect() as connection:
            used = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert connection.scalar(used) is True
        engine.dispose()
        with pytest.raises(StorageError, match="certificate verify failed"):
            open_database(f"{place}{other}", SECONDS)
        setting(administrator, "ssl", None)


def certificate(folder: Path, name: str) -> Path:
    """A certificate of this machine, signed by itself, with its key beside it."""
    made = folder / f"{name}.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{HOST}"),
            *("-keyout", made.with_suffix(".key"), "-out", made),
        ],
        check=True,
        capture_output=True,
    )
    return made


class Writer:
    """Registers images one by one until it is stopped; keeps what was acknowledged."""

    def __init__(self, server: Server) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[httpx.Response] = []
        self._server, self._ended = server, threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)

    def count(self, number: int) -> None:
        """Wait until so many more are acknowledged."""
        wanted, until = len(self.acknowledged) + number, time.monotonic() + PATIENCE
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < until, self.refused[-1].text
            time.sleep(0.02)

    def _write(self) -> None:
        with self._server.client() as http:
            made, seed = Classifier(http, "written"), 100
            while not self._ended.is_set():
                seed += 1
                answer = made.post("ant", picture(seed))
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["images"][0]["id"])
                else:
                    self.refused.append(answer)
                    time.sleep(0.05)


def test_a_service_outlives_crashes_read_only_and_a_failover_and_keeps_what_it_said(
    pair: Pair, vit: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The last one here: the standby is the primary afterwards."""
    data_dir = tmp_path_factory.mktemp("failover")
    settings = {"database_url": pair.url(), "database_seconds": SECONDS, "backbone": vit}
    with Server.ready(data_dir, **settings) as running, running.client() as http:
        made = of_four(http, "written")
        answer = made.predictions(picture(1))
        writer = Writer(running)
        writer.count(2)
        pair.primary.restart()  # as a crash
        writer.count(2)

        with pair.primary.administrator() as administrator:
            setting(administrator, "default_transaction_read_only", "on")
            until = time.monotonic() + PATIENCE
            while not any("can only be read" in one.text for one in writer.refused):
                assert time.monotonic() < until
                time.sleep(0.02)
            assert made.predict(picture(1)).status_code == 200
            administrator.execute("SET default_transaction_read_only = off")
            setting(administrator, "default_transaction_read_only", None)
        writer.count(2)

        pair.primary.stop()
        problem(made.predict(picture(1)), 503, "storage-unavailable")
        assert http.get("/healthz").status_code == 200
        pair.standby.promote()
        with pair.standby.administrator() as administrator:
            setting(administrator, "synchronous_standby_names", None)
        writer.count(2)
        writer.stop()

        for refused in writer.refused:
            # The latter while it committed, or its standby did not answer.
            assert refused.json()["type"] in ("storage-unavailable", "outcome-unknown")
            problem(refused, 503, refused.json()["type"])
            assert refused.headers["retry-after"]
        listed = made.get_class("ant").json()
        assert set(writer.acknowledged) <= {one["id"] for one in listed["images"]}
        assert made.predictions(picture(1))[0]["label"] == answer[0]["label"]
        running.stop()
    assert "Traceback" not in running.log.read_text()
