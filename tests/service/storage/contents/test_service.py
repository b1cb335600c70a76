"""A service whose images are in a folder: what reads and writes bytes over HTTP; the command."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, create_engine

from tests.service.client import Classifier, problem
from tests.service.pictures import picture
from tests.service.server import HANDFUL, Server, run_handful
from tests.service.storage.contents.placed_images import files as objects
from tests.service.storage.contents.placed_images import referred

FILE_TYPE = "application/vnd.handful.classifier+zip"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"images": str(folder / "images"), "history_days": 0, "database_seconds": 2}
    with Server.ready(folder / "data", backbone=vit, **settings) as running:
        yield running
        running.stop()
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def images(server: Server) -> Path:
    return server.data_dir.with_name("images")


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    opened = create_engine(f"sqlite:///{server.data_dir / 'handful.db'}")
    yield opened
    opened.dispose()


def of_two(http: httpx.Client, name: str, seed: int) -> tuple[Classifier, list[str]]:
    """A classifier with two images, and their paths."""
    made = Classifier(http, name)
    made.put().raise_for_status()
    paths = []
    for label, number in (("ant", seed), ("bee", seed + 1)):
        answer = made.post(label, picture(number))
        assert answer.status_code == 201, answer.text
        paths.append(f"{made.class_url(label)}/images/{answer.json()['images'][0]['id']}")
    return made, paths


def test_all_that_reads_bytes_finds_them(http: httpx.Client, engine: Engine, images: Path) -> None:
    made, paths = of_two(http, "reads", 10)
    for number, path in zip((10, 11), paths, strict=True):
        assert http.get(path).content == picture(number)
        thumbnail = http.get(f"{made.url}/images/{path.rpartition('/')[2]}/thumbnail")
        assert thumbnail.headers["content-type"] == "image/jpeg"
    assert objects(images) == referred(engine)
    exported = http.get(f"{made.url}/export").content
    assert exported.count(picture(10)) == exported.count(picture(11)) == 1
    sent = {"content-type": FILE_TYPE}
    answer = http.put("/v1/classifiers/again/import", content=exported, headers=sent)
    assert answer.status_code == 201, answer.text
    copy = Classifier(http, "again")
    (one,) = copy.get_class("ant").json()["images"]
    assert http.get(f"{copy.class_url('ant')}/images/{one['id']}").content == picture(10)
    assert http.get(f"{made.url}/report.html").status_code == 200
    views = http.put(made.url, json={"support_views": 2})  # embedded anew from their bytes
    assert views.is_success, views.text
    assert objects(images) == referred(engine)


def test_the_inbox_keeps_its_pictures_there(
    http: httpx.Client, engine: Engine, images: Path
) -> None:
    made, _ = of_two(http, "inbox", 20)
    http.put(made.url, json={"remember": "all"}).raise_for_status()
    made.predict(picture(29))
    until = time.monotonic() + 60
    while not (found := http.get(f"{made.url}/inbox").json()["items"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    path = f"{made.url}/inbox/{found[0]['id']}"
    assert http.get(f"{path}/image").content == picture(29)
    assert http.get(f"{path}/thumbnail").headers["content-type"] == "image/jpeg"
    assert objects(images) == referred(engine)
    answer = http.post(path, json={"action": "confirm"})
    assert answer.is_success, answer.text
    assert objects(images) >= referred(engine)


def test_a_damaged_image_is_told_over_http(
    http: httpx.Client, engine: Engine, images: Path
) -> None:
    before = objects(images)
    made, (first, second) = of_two(http, "damaged", 30)
    for key in objects(images) - before:
        if picture(30) == (images / key).read_bytes():
            (images / key).unlink()
    problem(http.get(first), 500, "image-damaged", "are gone")
    assert http.get(second).content == picture(31)
    assert made.predict(picture(32)).status_code == 200
    exported = http.get(f"{made.url}/export").content
    assert exported.count(picture(31)) == 1
    assert http.delete(first).status_code == 204


def test_an_outage_is_503_and_over_without_a_restart(http: httpx.Client, images: Path) -> None:
    made, (first, _) = of_two(http, "outage", 40)
    away = images.with_name("away")
    images.rename(away)
    state = made.state()
    try:
        problem(made.post("ant", picture(45)), 503, "storage-unavailable", "mounted")
        problem(http.get(first), 503, "storage-unavailable")
        assert made.predict(picture(46)).status_code == 200
        assert made.state() == state
    finally:
        away.rename(images)
    assert made.post("ant", picture(45)).status_code == 201
    assert http.get(first).content == picture(40)


@pytest.mark.long
def test_images_move_beside_a_service_and_go_on_after_a_kill(
    tmp_path: Path, http: httpx.Client, server: Server, engine: Engine, images: Path
) -> None:
    made, (first, second) = of_two(http, "moving", 50)
    for start in (0, 80):  # more than one transaction of the command
        some = (picture(100 + start + n, "BMP") for n in range(80))
        made.post("ant", *some).raise_for_status()
    held = len(referred(engine))
    place = {"data_dir": str(server.data_dir), "images": ""}
    environment = os.environ | {f"HANDFUL_{name.upper()}": text for name, text in place.items()}
    killed = subprocess.Popen([HANDFUL, "move-images"], env=environment, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(referred(engine)) == held and killed.poll() is None:
        assert time.monotonic() < until
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert referred(engine)  # it was in the midst of it
    done = run_handful("move-images", **place)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "images were moved to the database" in done.stdout
    assert referred(engine) == set()
    for path, number in ((first, 50), (second, 51)):
        assert http.get(path).content == picture(number)
    place["images"] = str(tmp_path / "elsewhere")
    assert made.post("bee", picture(99)).status_code == 201  # to where the service was told
    done = run_handful("move-images", **place)
    assert done.returncode == 0, done.stderr + done.stdout
    assert objects(tmp_path / "elsewhere") == referred(engine)
    assert http.get(first).content == picture(50)
    assert run_handful("move-images", **place).stdout.startswith("0 images")


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ("ftp://host/images", "name a folder"),
        ("s3://key:secret@bucket", "neither keys"),
        ("/proc/images", "cannot be kept in file:///proc/images"),
        ("s3://images/nobody", "cannot be kept in s3://images/nobody"),
    ],
)
def test_a_place_that_cannot_be_used_ends_the_start(
    tmp_path: Path, vit: str, monkeypatch: pytest.MonkeyPatch, images: str, told: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    done = run_handful(
        "serve", "--port", "0", data_dir=tmp_path, backbone=vit, images=images, database_seconds=1
    )
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert told in said, said
    assert "Traceback" not in said
    assert "a-secret" not in said
