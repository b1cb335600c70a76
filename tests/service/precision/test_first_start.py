"""What a service does where nobody has measured the precisions of its model, in real processes."""

from __future__ import annotations

import time
from pathlib import Path

from tests.service.server import Server


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


def test_a_database_of_its_own_precision_starts_at_once_and_measures_beside(
    tmp_path: Path, vit: str
) -> None:
    with Server.ready(tmp_path, backbone=vit, precision="float32") as server:
        with server.client() as http:
            http.put("/v1/classifiers/a", json={"classes": ["ant"]})
        server.stop()
    cache = tmp_path / "cache"
    with Server.ready(tmp_path, backbone=vit, precision="auto", cache_dir=cache) as server:
        # It answers before the verdict is there.
        assert not list(cache.glob("precision/*.json"))
        deadline = time.monotonic() + 200
        while "the best precision" not in server.log.read_text():
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.2)
        assert len(list(cache.glob("precision/*.json"))) == 1
        server.stop()
    assert "measuring which" not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
