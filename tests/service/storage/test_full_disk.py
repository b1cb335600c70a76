"""A service on a disk of a few megabytes: what clients are told when it is full, and after."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from adapters.loading import load_backbone
from service.problems import StorageFull
from service.storage.engine import open_database
from service.storage.errors import StorageError
from tests.service.client import Classifier, of_four, problem
from tests.service.conftest import Troubled
from tests.service.pictures import encoded, noise
from tests.service.registries import SETTINGS, fill, image, n_images, plain_store, registry
from tests.service.server import Server


@pytest.fixture
def server(troubled: Troubled) -> Server:
    if troubled.refused:
        pytest.skip(f"no file system can be mounted here: {troubled.refused}")
    return troubled.server


@pytest.fixture
def disk(server: Server) -> Path:
    return server.data_dir.parent


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@contextmanager
def filled(disk: Path, but: int = 0) -> Iterator[None]:
    """A file of others takes what is left, but so many bytes."""
    path = disk / "ballast"
    try:
        with path.open("wb", buffering=0) as file:
            file.truncate(0)
            for size in (2**16, 2**12):
                try:
                    while shutil.disk_usage(disk).free > but:
                        file.write(bytes(size))
                except OSError:
                    continue
        yield
    finally:
        path.unlink()


def large(seed: int) -> bytes:
    """A picture of some 120 kB."""
    return encoded(noise(seed, (200, 200)))


def check(server: Server) -> None:
    """What is on the disk is consistent."""
    with closing(sqlite3.connect(server.data_dir / "handful.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def cut_log(server: Server) -> None:
    """The write-ahead log holds no room that a small change could still be written into."""
    log = server.data_dir / "handful.db-wal"
    until = time.monotonic() + 30
    with closing(sqlite3.connect(server.data_dir / "handful.db")) as database:
        while log.stat().st_size and time.monotonic() < until:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert log.stat().st_size == 0


def test_on_a_full_disk_writes_are_507_and_reading_predicting_and_deleting_go_on(
    server: Server, http: httpx.Client, disk: Path
) -> None:
    kept, gone = of_four(http, "kept", large), of_four(http, "gone", large)
    before = kept.state()
    answer = kept.predictions(large(1))
    cut_log(server)
    with filled(disk):
        assert shutil.disk_usage(disk).free == 0
        for refused in (
            kept.post("ant", large(10)),
            kept.put(method="tip-adapter"),
            http.put(kept.class_url("wasp")),
            Classifier(http, "new").put(),
        ):
            problem(refused, 507, "storage-full", "Free some on its file system", "Deleting")
        assert http.get("/v1/classifiers/new").status_code == 404
        assert kept.predictions(large(1)) == answer
        assert kept.state() == before
        assert http.get("/readyz").status_code == 200
        image = kept.get_class("ant").json()["images"][0]["id"]
        assert http.delete(f"{kept.class_url('ant')}/images/{image}").status_code == 204
        assert http.delete(kept.class_url("bee")).status_code == 204
        assert http.delete(gone.url).status_code == 204
        assert kept.counts() == {"ant": 1}
        check(server)
    assert kept.post("ant", large(10)).status_code == 201
    assert kept.counts() == {"ant": 2}
    assert gone.predict(large(1)).status_code == 404
    http.delete(kept.url).raise_for_status()
    check(server)


def test_a_registration_that_does_not_fit_leaves_nothing(
    server: Server, http: httpx.Client, disk: Path
) -> None:
    made = of_four(http, "fitting", large)
    answer, before = made.predictions(large(1)), made.state()
    with filled(disk, but=2**20):
        refused = made.post("ant", *(large(seed) for seed in range(100, 140)))
        problem(refused, 507, "storage-full", "Nothing was changed")
        assert made.state() == before
        assert made.predictions(large(1)) == answer
        check(server)
    assert made.post("ant", *(large(seed) for seed in range(100, 110))).status_code == 201
    assert made.counts() == {"ant": 12, "bee": 2}
    http.delete(made.url).raise_for_status()


def test_a_database_on_a_full_disk_opens_and_deletes(disk: Path, vit: str) -> None:
    backbone = load_backbone(vit, "cpu")
    url = f"sqlite:///{disk / 'second' / 'handful.db'}"
    engine = open_database(url)
    fill(registry(plain_store(engine, backbone), backbone), "old", "older")
    engine.dispose()
    with filled(disk):
        with pytest.raises(StorageError, match="There is no room"):
            open_database(f"sqlite:///{disk / 'third.db'}")
        engine = open_database(url)
        made = registry(plain_store(engine, backbone), backbone)
        assert n_images(made, "old") == 4
        with pytest.raises(StorageFull):
            made.add_images("old", [("ant", image(99))])
        made.delete_class("old", "bee")
        made.delete("older")
        assert n_images(made, "old") == 2
    assert made.put("new", SETTINGS, ["ant"])
    engine.dispose()
