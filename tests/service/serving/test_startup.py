"""Starts that fail: each ends with a message that helps, and without a traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.cli.configuration import settings_with_options
from service.composition import ServiceParts
from service.settings import Settings
from service.storage.errors import StorageError
from tests.service.server import Server, run_handful


def refused(ended: CompletedProcess[str]) -> str:
    """The message of a command that could not go on."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert errors, ended.stderr
    return errors[-1]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    ended = run_handful(
        "serve", "--backbone", "ViT-B-32/no/such.pt", "--data-dir", str(tmp_path), "--port", "0"
    )
    assert "there is no checkpoint file no/such.pt" in refused(ended)


def test_a_second_service_on_the_same_data_is_refused(server: Server) -> None:
    ended = run_handful("serve", "--data-dir", str(server.data_dir), "--port", "0")
    message = refused(ended)
    assert str(server.data_dir) in message
    assert "in use by another handful process" in message
    assert "--data-dir" in message


def test_a_bad_port_in_the_environment_is_named() -> None:
    ended = run_handful("serve", port="eighty")
    assert ended.returncode == 2
    assert "error: HANDFUL_PORT: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("port", "70000"), ("max_batch", "0"), ("store_images", "perhaps")]
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    variable = f"HANDFUL_{name.upper()}"
    ended = CliRunner().invoke(app, ["serve"], env={variable: value})
    assert ended.exit_code == 2
    assert f"error: {variable}: " in ended.output


def test_a_bad_option_is_named() -> None:
    ended = CliRunner().invoke(app, ["serve", "--port", "70000"])
    assert ended.exit_code == 2
    assert "PORT" in ended.output.upper()


def test_data_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "handful.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    with pytest.raises(StorageError, match="was written by another version of Handful"):
        ServiceParts.start(Settings(data_dir=tmp_path))
    with sqlite3.connect(tmp_path / "handful.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("alembic_version",)]


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(StorageError, match=str(file)):
        ServiceParts.start(Settings(data_dir=file))


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDFUL_PORT", "1234")
    monkeypatch.setenv("HANDFUL_BACKBONE", "ViT-B-32/openai")
    settings = settings_with_options(port=4321, backbone=None)
    assert (settings.port, settings.backbone) == (4321, "ViT-B-32/openai")


def test_the_database_is_in_the_data_folder_unless_it_is_told(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).sqlalchemy_url == f"sqlite:///{tmp_path}/handful.db"
    elsewhere = "postgresql+psycopg://db/handful"
    assert Settings(database_url=elsewhere).sqlalchemy_url == elsewhere
