"""What a service does where nobody has measured the precisions of its model, in real processes."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from service.precision.verdict import Measured, Verdict, write_verdict
from service.precision_check import BackgroundCheck
from service.settings import Settings
from tests.service.server import Server

MODEL = "5" * 64


@pytest.mark.long
def test_an_unknown_model_is_measured_once_before_anything_is_stored(
    tmp_path: Path, vit: str
) -> None:
    asked = {"backbone": vit, "precision": "auto", "cache_dir": tmp_path / "cache"}
    with Server.ready(tmp_path / "data", **asked) as server:
        server.stop()
    log = server.log.read_text()
    assert f"measuring which precision keeps the few-shot accuracy of {vit}" in log
    assert "measured in" in log
    (verdict,) = (tmp_path / "cache" / "precision").glob("*.json")
    written = verdict.stat().st_mtime_ns
    with Server.ready(tmp_path / "other", **asked) as server:
        server.stop()
    assert "measur" not in server.log.read_text()
    assert verdict.stat().st_mtime_ns == written


@pytest.mark.long
def test_a_database_of_its_own_precision_starts_at_once_and_measures_beside(
    tmp_path: Path, vit: str
) -> None:
    with Server.ready(tmp_path, backbone=vit, precision="float32") as server:
        with server.client() as http:
            http.put("/v1/classifiers/a", json={"classes": ["ant"]})
        server.stop()
    cache = tmp_path / "cache"
    with Server.ready(tmp_path, backbone=vit, precision="auto", cache_dir=cache) as server:
        # It answers before the verdict is there, and does not wait for it to end, either.
        assert not list(cache.glob("precision/*.json"))
        server.stop()
    log = server.log.read_text()
    assert "measuring which" not in log
    assert "could not be measured" not in log
    assert "Traceback" not in log


@pytest.mark.long
def test_another_verdict_than_that_of_the_package_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(cache_dir=tmp_path, device="cpu", precision="auto")
    float32 = Measured(50, 0, 0, 1)
    write_verdict(Verdict({"float32": float32}, "", {}, "2026-11-28", 1.0), MODEL, tmp_path)
    assert BackgroundCheck.if_needed(settings, MODEL) is None
    deadline = time.monotonic() + 240
    with caplog.at_level(logging.INFO, "handful"):
        # Its process finds the verdict there.
        checking = BackgroundCheck(settings, MODEL, "bfloat16")
        while "best precision" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.1)
        checking.close()
    assert "float32 is the best precision, and not bfloat16" in caplog.text
    assert "handful re-embed --precision float32" in caplog.text
