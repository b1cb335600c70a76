"""``handful predict``: of a database and of a service, killed and gone on with."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from adapters.loading import load_backbone
from service.storage.engine import open_database
from tests.service.client import of_four
from tests.service.forked import ForkedHandful
from tests.service.pictures import encoded, picture
from tests.service.registries import fill, plain_store, registry
from tests.service.server import Server, _environment, run_handful


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "photos" / "2024"
    below.mkdir(parents=True)
    for i in range(5):
        (below / f"{i}.png").write_bytes(picture(i))
    (below / "broken.png").write_bytes(picture(9)[:200])
    (below / "notes.txt").write_text("no image")
    return below.parent


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_service_is_asked_and_a_table_written(
    spare: Server, folder: Path, tmp_path: Path
) -> None:
    with spare.client() as http:
        expected = of_four(http, "predicted").predictions(*map(picture, range(5)))
    out = tmp_path / "results.csv"
    asked = run_handful("predict", "predicted", str(folder), "--out", str(out), url=spare.url)
    assert asked.returncode == 3, asked.stderr  # one of them is broken
    assert "6 images: 6 predicted now, 0 before; 1 cannot be used" in asked.stdout
    rows = rows_of(out)
    assert [row["file"] for row in rows] == [f"2024/{i}.png" for i in range(5)] + [
        "2024/broken.png"
    ]
    for row, one in zip(rows[:5], expected, strict=True):
        assert row["label"] == one["label"]
        assert float(row["probability"]) == pytest.approx(one["probability"], abs=1e-4)
        assert row["known"] == str(one["known"]).lower()
        assert (row["error"], row["classifier"]) == ("", "predicted")
    assert "truncated or damaged" in rows[5]["error"]
    again = run_handful("predict", "predicted", str(folder), f"--out={out}", url=spare.url)
    assert "6 images: 0 predicted now, 6 before" in again.stdout
    assert rows_of(out) == rows
    out_of_nobody = f"--out={tmp_path / 'nobody.csv'}"
    nobody = run_handful("predict", "nobody", str(folder), out_of_nobody, url=spare.url)
    assert nobody.returncode == 1
    assert "no classifier 'nobody'" in nobody.stderr
    assert not (tmp_path / "nobody.csv").exists()
    for wrong in (["--out", "a.txt"], [f"--out={out}", "--data-dir", "."]):
        refused = run_handful("predict", "predicted", str(folder), *wrong, url=spare.url)
        assert refused.returncode == 2
    other = run_handful("predict", "another", str(folder), f"--out={out}", url=spare.url)
    assert other.returncode == 2


@pytest.mark.long
def test_a_database_is_asked_and_a_killed_command_goes_on(tmp_path: Path, vit: str) -> None:
    data_dir, photos = tmp_path / "data", tmp_path / "photos"
    photos.mkdir()
    engine = open_database(f"sqlite:///{data_dir / 'handful.db'}")
    backbone = load_backbone(vit, "cpu")
    fill(registry(plain_store(engine, backbone), backbone), "t")
    engine.dispose()
    for i in range(400):
        content = encoded(Image.new("RGB", (500, 500), (i % 256, i // 256, 9)))
        (photos / f"{i:03}.png").write_bytes(content)
    (photos / "bad.png").write_bytes(b"no image")
    out = tmp_path / "out.jsonl"
    arguments = ["predict", "t", str(photos), "--out", str(out), "--data-dir", str(data_dir)]
    environment = _environment({"backbone": vit})
    killed = ForkedHandful(arguments, environment, tmp_path / "o", tmp_path / "e")
    until = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size) and time.monotonic() < until:
        time.sleep(0.01)
    killed.kill()
    with out.open("ab") as file:
        file.write(b'{"file": "39')  # as if it had died in the middle of a row
    part = out.read_bytes().count(b"\n")
    assert 0 < part < 401
    done = run_handful(*arguments, backbone=vit)
    assert done.returncode == 3, done.stderr
    assert f"{401 - part} predicted now, {part} before; 1 cannot be used" in done.stdout
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["file"] for row in rows] == [f"{i:03}.png" for i in range(400)] + ["bad.png"]
    assert {row["label"] for row in rows[:-1]} <= {"ant", "bee"}
    (photos / "bad.png").unlink()
    (photos / "one.png").write_bytes(picture(3))
    arguments[1] = "nobody"
    arguments[4] = str(tmp_path / "other.csv")
    refused = run_handful(*arguments, backbone=vit)
    assert (refused.returncode, "no classifier 'nobody'" in refused.stderr) == (1, True)
