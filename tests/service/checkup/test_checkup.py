"""The check-up: what it says of what is sound, of what is broken, and that it changes nothing."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from service.checkup import check_up
from service.checkup.finding import Finding, looked, ok
from service.settings import Settings
from service.storage.contents.claiming import write_marker
from service.storage.contents.folder import Folder
from service.storage.engine import open_database
from service.storage.lock import lock_database
from tests.service.postgres import fresh_database, url
from tests.service.storage.contents.s3_server import S3, serving


def findings(subject: str, **settings: Any) -> list[Finding]:
    """What is said of one subject; nothing of what is said of it is a defect of ours."""
    [found] = [one.findings for one in check_up(Settings(**settings)) if one.subject == subject]
    assert found
    return found


def said(found: list[Finding], status: str) -> str:
    return "\n".join(f"{one.found}: {one.mend}" for one in found if one.status == status)


def contents(folder: Path) -> dict[str, tuple[str, float]]:
    return {
        str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database whose service has ended."""
    file = tmp_path / "handful.db"
    open_database(f"sqlite:///{file}").dispose()
    return file


def test_a_database_that_is_sound_is_read_and_left_as_it_is(database: Path) -> None:
    before = contents(database.parent)
    found = findings("database", data_dir=database.parent)
    assert not said(found, "problem") + said(found, "warning")
    assert "as this program has them" in said(found, "ok")
    assert "its pages are sound" in said(found, "ok")
    assert "no service has it to itself" in said(found, "ok")
    assert contents(database.parent) == before


def test_nothing_is_made_where_there_is_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    results = check_up(settings)
    assert [one.subject for one in results] == [
        *("settings", "disk", "database", "images", "compute", "limits", "clocks", "ports"),
        "telemetry",
    ]
    problems = [one.found for each in results for one in each.findings if one.status == "problem"]
    assert not problems
    assert not list(tmp_path.iterdir())


def test_a_database_in_use_is_read_beside_its_service_and_says_whose_it_is(
    database: Path,
) -> None:
    url = f"sqlite:///{database}"
    engine, lock = open_database(url), lock_database(url)
    assert lock is not None
    try:
        with engine.connect() as reader:  # keeps the log
            reader.exec_driver_sql("SELECT 1")
            found = findings("database", data_dir=database.parent)
    finally:
        lock.release()
        engine.dispose()
    assert "has it to itself" in said(found, "warning")
    assert not said(found, "problem")
    # Nothing is held afterwards.
    again = lock_database(url)
    assert again is not None
    again.release()


def test_databases_that_cannot_serve_are_problems(database: Path, tmp_path: Path) -> None:
    def told() -> str:
        return said(findings("database", data_dir=database.parent), "problem")

    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
        connection.commit()
    assert "0099" in told()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
        connection.commit()
    assert not told()
    older = said(findings("database", data_dir=database.parent), "warning")
    assert "0005" in older
    assert "backup" in older
    content = bytearray(database.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\x5a" * (4096 * 4)
    database.write_bytes(content)
    assert "restore it from a backup" in told()
    database.write_bytes(b"no database at all" * 100)
    assert "not a database" in told()
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    assert "another program's: it has the tables songs" in told()


@pytest.fixture
def server_url() -> Iterator[str]:
    with fresh_database() as name:
        yield url(name)


def test_a_postgresql_server_is_looked_at_and_left_as_it_is(server_url: str) -> None:
    found = findings("database", database_url=server_url)
    told = said(found, "ok")
    assert "PostgreSQL 1" in told
    assert "no tables yet" in told
    assert "a round trip takes" in said(found, "ok") + said(found, "warning")
    assert "its clock is" in told
    assert not said(found, "problem")
    engine = create_engine(server_url)
    assert not inspect(engine).get_table_names()
    engine.dispose()
    assert any("checksums" in one.found for one in found)
    most = findings("database", database_url=server_url, processes=500)
    assert "this service may open 9000" in said(most, "problem")


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    url = "postgresql+psycopg://handful:geheim@127.0.0.1:1/handful"
    results = check_up(Settings(database_url=url))
    whole = repr(results)
    assert "geheim" not in whole
    assert "handful:***@" in whole
    [found] = [one.findings for one in results if one.subject == "database"]
    assert "HANDFUL_DATABASE_URL" in said(found, "problem")


def test_folders_that_cannot_be_written_are_problems(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = findings("disk", data_dir=tmp_path / "file" / "data", cache_dir=tmp_path)
    assert "is no folder" in said(found, "problem")
    found = findings("disk", data_dir=Path("/proc/handful"), cache_dir=tmp_path)
    assert "data folder /proc/handful (proc)" in said(found, "ok") + said(found, "problem")


def test_where_images_go_is_told_and_nothing_is_made_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "in the database" in said(findings("images"), "ok")
    folder = tmp_path / "images"
    found = findings("images", images=str(folder))
    assert "not there yet" in said(found, "ok")
    assert not folder.exists()
    folder.mkdir()
    assert "no store of Handful yet" in said(findings("images", images=str(folder)), "warning")
    write_marker(Folder(folder), "0" * 32)
    before = contents(folder)
    assert "is a store of Handful: 000" in said(findings("images", images=str(folder)), "ok")
    assert contents(folder) == before
    with serving(S3()) as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        assert "no store" in said(findings("images", images="s3://images/ours"), "warning")
        assert not s3.objects()
        s3.failing = (403, "AccessDenied", None)
        assert "AccessDenied" in said(findings("images", images="s3://images/ours"), "problem")


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = said(findings("ports", port=port), "warning")
    assert f"somebody listens on 127.0.0.1:{port}" in told
    assert said(findings("ports", port=port), "ok") == f"nobody listens on 127.0.0.1:{port}: "
    assert "no address of this machine" in said(findings("ports", host="192.0.2.1"), "problem")


def test_a_collector_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no traces" in said(findings("telemetry"), "ok")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert "cannot be reached" in said(findings("telemetry"), "warning")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert "http/protobuf" in said(findings("telemetry"), "problem")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert "no traces" in said(findings("telemetry"), "ok")


def test_settings_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDFUL_PROT", "1")
    found = findings("settings", max_batch=7)
    assert "HANDFUL_MAX_BATCH=7" in said(found, "ok")
    assert "HANDFUL_PORT?" in said(found, "warning")


def test_a_graphics_card_that_is_asked_for_and_not_there_is_a_problem() -> None:
    import torch  # as the look does

    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert "PyTorch sees no GPU" in said(findings("compute", device="cuda"), "problem")


def test_a_look_that_fails_or_hangs_keeps_its_trouble_to_itself() -> None:
    def fails(_: Settings) -> Iterator[Finding]:
        yield ok("so far")
        raise RuntimeError("broken\nhere, by postgresql://me:geheim@host/x")

    def hangs(_: Settings) -> Iterator[Finding]:
        yield ok("so far")
        time.sleep(5)

    settings = Settings()
    first, second = looked("a", fails, settings).findings
    assert first == Finding("ok", "so far")
    assert second.status == "problem"
    assert second.found == "cannot be told: broken here, by postgresql://me:***@host/x"
    first, second = looked("b", hangs, settings, 0.1).findings
    assert first == Finding("ok", "so far")
    assert second.found == "does not answer for 0.1 s"
