"""``handful bridge frigate``: what it does not begin with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app


def begun(**settings: str | None) -> Result:
    ours = {name: None for name in os.environ if name.startswith("HANDFUL_")}
    given = {f"HANDFUL_{name.upper()}": value for name, value in settings.items()}
    return CliRunner(env={**ours, **given}).invoke(app, ["bridge", "frigate"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "HANDFUL_FRIGATE_CLASSIFIERS"),
        ({"frigate_classifiers": "person"}, "LABEL=CLASSIFIER"),
        ({"frigate_classifiers": "person=../x"}, "cannot name a classifier"),
        ({"frigate_classifiers": "a=b,a=c"}, "write each once"),
        ({"mqtt_url": "127.0.0.1:1883"}, "mqtt://HOST:PORT"),
        ({"mqtt_url": "mqtt://me:secret@127.0.0.1"}, "HANDFUL_MQTT_PASSWORD"),
        ({"frigate_url": "frigate"}, "http://HOST:PORT"),
        ({"frigate_topic": "a/#"}, "cannot begin topics"),
        ({"frigate_cameras": "../x"}, "names no camera"),
        ({"frigate_attempts": "17"}, "less than or equal to 16"),
        ({"frigate_agreement": "0"}, "greater than 0"),
    ],
)
def test_settings_that_cannot_be_used_say_why(settings: dict[str, str], told: str) -> None:
    given = settings if not settings else {"frigate_classifiers": "person=a", **settings}
    ended = begun(**given)
    assert ended.exit_code == 2
    assert told in ended.output
    assert "secret" not in ended.output


def test_secrets_may_be_files_that_are_there(tmp_path: Path) -> None:
    ended = begun(frigate_classifiers="person=a", mqtt_password_file=str(tmp_path / "none"))
    assert ended.exit_code == 2
    assert "HANDFUL_MQTT_PASSWORD_FILE" in ended.output


def test_secrets_are_no_options() -> None:
    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["bridge", "frigate", "--help"]).output
    assert "--mqtt-url" in told
    assert "--key" not in told
    assert "--mqtt-password" not in told
