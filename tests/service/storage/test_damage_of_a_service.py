"""A service on a damaged database: it says so, mends what it can, and answers nothing wrong."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, probabilities, problem
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

# Of a service that looks all the time.
OFTEN = 0.0003
PATIENCE = 60.0


@pytest.fixture
def stopped(tmp_path: Path, vit: str) -> tuple[Path, list[list[float]]]:
    """A data folder with two classifiers, and what the first answers."""
    with Server.ready(tmp_path, backbone=vit, check_hours=0) as server, server.client() as http:
        for name in ("ants", "bees"):
            made = Classifier(http, name)
            made.put()
            for label, seed in (("a", 1), ("b", 10)):
                made.post(label, *map(picture, range(seed, seed + 3))).raise_for_status()
        assert http.get("/readyz").json() == {"status": "ready", "storage": "unchecked"}
        answers = answered(Classifier(http, "ants"))
        server.stop()
    return tmp_path, answers


def answered(classifier: Classifier) -> list[list[float]]:
    asked = classifier.predictions(picture(2), picture(77))
    return [sorted(probabilities(one).values()) for one in asked]


def damage(data_dir: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data_dir / "handful.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def flipped(table: str, column: str, which: str = "TRUE") -> str:
    """A statement that changes the third byte of bytes."""
    other = f"substr({column}, 1, 2) || x'00' || substr({column}, 4)"
    return f"UPDATE {table} SET {column} = CAST({other} AS BLOB) WHERE {which}"


def until(http: httpx.Client, state: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while http.get("/readyz").json()["storage"] != state:
        assert time.monotonic() < deadline, http.get("/readyz").json()
        time.sleep(0.05)


def metric(http: httpx.Client, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", http.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_damaged_embeddings_are_made_anew_and_answers_are_as_before(
    stopped: tuple[Path, list[list[float]]], vit: str
) -> None:
    data_dir, before = stopped
    damage(
        data_dir,
        flipped("images", "frozen", "id IN (1, 2)"),
        flipped("images", "corrected", "id = 5"),
        flipped("classes", "text_embedding", "id = 1"),
        flipped("prompt_embeddings", "embedding"),
    )
    with Server.ready(data_dir, backbone=vit, check_hours=OFTEN) as server:
        with server.client() as http:
            refused = http.post("/v1/classifiers/ants/predict", files={"files": picture(2)})
            assert refused.status_code in (200, 500)  # it is mended already, or announced
            if refused.status_code == 500:
                problem(refused, 500, "classifier-damaged", "checksum differs")
            until(http, "sound")
            for one, other in zip(answered(Classifier(http, "ants")), before, strict=True):
                assert one == pytest.approx(other, abs=1e-5)
            assert metric(http, 'handful_storage_mended_total{kind="embeddings"}') == 3
            assert metric(http, 'handful_storage_mended_total{kind="text"}') >= 2
            assert metric(http, 'handful_storage_damaged{kind="embeddings"}') == 0
            assert metric(http, "handful_storage_checked_timestamp_seconds") > time.time() - 600
        server.stop()
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "damaged, and mended: embeddings" in log


def test_damaged_images_are_told_and_answers_go_on(
    stopped: tuple[Path, list[list[float]]], vit: str
) -> None:
    data_dir, _ = stopped
    damage(
        data_dir,
        flipped("image_contents", "content", "image_id = 2"),
        flipped("images", "corrected", "id = 2"),  # which cannot be mended from it
        flipped("image_contents", "content", "image_id = 4"),
    )
    checked = run_handful("check", "--data-dir", str(data_dir))
    assert checked.returncode == 1, checked.stderr
    assert checked.stdout.count("damaged: image: ") == 2
    assert checked.stdout.count("damaged: embeddings: ") == 1
    assert checked.stdout.count("/v1/classifiers/ants/classes/a/images/") == 2
    assert "register it again" in checked.stdout
    with Server.ready(data_dir, backbone=vit, check_hours=OFTEN) as server:
        with server.client() as http:
            until(http, "damaged")
            assert metric(http, 'handful_storage_damaged{kind="image"}') == 2
            refused = http.post("/v1/classifiers/ants/predict", files={"files": picture(2)})
            problem(refused, 500, "classifier-damaged", "checksum differs")
            other = Classifier(http, "fine")
            other.put()
            other.post("a", picture(30)).raise_for_status()
            assert other.predictions(picture(30))
            for name in ("ants", "bees"):
                http.delete(f"/v1/classifiers/{name}").raise_for_status()
            until(http, "sound")
        server.stop()
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "damaged: image: " in log
    checked = run_handful("check", "--data-dir", str(data_dir))
    assert (checked.returncode, checked.stdout[:6]) == (0, "sound:"), checked.stdout


def test_a_row_that_cannot_be_read_is_a_problem_and_no_defect(
    stopped: tuple[Path, list[list[float]]], vit: str
) -> None:
    data_dir, _ = stopped
    damage(
        data_dir,
        "UPDATE support SET filename = CAST(x'ff2e' AS TEXT) WHERE id = 1",
        "UPDATE images SET content_key = CAST(x'ff' || content_key AS TEXT) WHERE id = 6",
    )
    with closing(sqlite3.connect(data_dir / "handful.db")) as connection:
        [(image_id,)] = connection.execute(
            "SELECT public_id FROM support WHERE image_id = 6 ORDER BY id DESC LIMIT 1"
        ).fetchall()
    with Server.ready(data_dir, backbone=vit, check_hours=OFTEN) as server:
        with server.client() as http:
            until(http, "damaged")
            listed = http.get("/v1/classifiers/ants/classes/a")
            problem(listed, 500, "classifier-damaged", "no UTF-8")
            thumbnail = http.get(f"/v1/classifiers/bees/images/{image_id}/thumbnail")
            problem(thumbnail, 503, "storage-unavailable", "handful check")
        server.stop()
        assert "Traceback" not in server.log.read_text()
