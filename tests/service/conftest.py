"""Two running services for most tests: one as installed, one with low limits."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from filelock import FileLock
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.loading import load_backbone
from service.storage.engine import open_database
from tests.service.client import Classifier
from tests.service.databases import KINDS, new_database
from tests.service.pages import empty_pages
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

# Limits of the small service.
SMALL: dict[str, int] = {
    "max_image_bytes": 20_000,
    "max_image_pixels": 10_000,
    "max_images_per_request": 5,
    "max_request_bytes": 100_000,
    "max_unpacked_bytes": 50_000,
    "max_classes": 3,
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service with the default backbone and default settings."""
    # One worker compiles the backbone; the others read what it has kept.
    with FileLock(Path(os.environ["XDG_CACHE_HOME"]) / "lite.lock"):
        started = Server.installed(tmp_path_factory.mktemp("lite"))
    with started as running:
        yield running
        running.stop()
    log = running.log.read_text()
    assert "Application shutdown complete" in log
    if (tracebacks := log.count("Traceback")) > 0:
        pytest.fail(f"{tracebacks} tracebacks in {running.log}", pytrace=False)


@pytest.fixture(scope="session")
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Name of a backbone: a very small open_clip ViT with random weights, other ones each seed."""

    def make(seed: int) -> str:
        return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'), seed)}"

    return make


@pytest.fixture(scope="session")
def vit(tiny_vit: Callable[[int], str]) -> str:
    """Name of a backbone that starts quickly."""
    return tiny_vit(0)


@pytest.fixture(scope="module")
def backbone(vit: str) -> Backbone:
    """That one in the process of the tests."""
    return load_backbone(vit, "cpu")


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new database, SQLite and PostgreSQL."""
    with new_database(request.param) as url:
        yield url


@pytest.fixture(scope="module", params=KINDS)
def shared_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new database that the tests of a module share, SQLite and PostgreSQL."""
    with new_database(request.param) as url:
        yield url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """That database, opened."""
    opened = open_database(database)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def spare(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    """A service that starts quickly, for tests that need all of its classifiers."""
    with Server.ready(tmp_path_factory.mktemp("spare"), backbone=vit) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.log.read_text()


@dataclass(frozen=True)
class Small:
    """A service with low limits that does not keep images.

    Attributes:
        early: What it answered while it was starting, by method and path.
    """

    http: httpx.Client
    early: dict[str, httpx.Response]


@pytest.fixture(scope="session")
def small_service(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Small]:
    data_dir = tmp_path_factory.mktemp("small")
    # A lock on the database keeps the service from becoming ready for as long as we look.
    locked = sqlite3.connect(data_dir / "handful.db", isolation_level=None)
    locked.execute("PRAGMA journal_mode=WAL")
    locked.execute("BEGIN IMMEDIATE")
    with (
        Server.listening(data_dir, backbone=vit, store_images=False, **SMALL) as running,
        running.client() as http,
    ):
        try:
            early = {
                f"{method} {path}": http.request(method, path)
                for method, path in [
                    ("GET", "/healthz"),
                    ("GET", "/readyz"),
                    ("GET", "/"),
                    ("GET", "/studio"),
                    ("GET", "/openapi.json"),
                    ("GET", "/v1/classifiers"),
                    ("PUT", "/v1/classifiers/a"),
                    ("POST", "/v1/classifiers/a/predict"),
                ]
            }
        finally:
            locked.execute("ROLLBACK")
            locked.close()
        running.wait_until_ready()
        yield Small(http, early)


@dataclass(frozen=True)
class Edge:
    """A service at the edge of the world: short time-outs, behind a proxy, for one web page.

    Attributes:
        http: Asks as the proxy does, which takes away the path that it shows the service under.
        page: The origin whose pages may use the service; its pages are empty.
    """

    server: Server
    http: httpx.Client
    page: str


# Settings of that service.
EDGE: dict[str, object] = {
    "root_path": "/handful",
    "trusted_proxies": "127.0.0.1",
    "allowed_hosts": "api.example.com, *.internal",
    "max_connections": 150,
    "head_seconds": 1,
    "stall_seconds": 2,
    "keep_alive_seconds": 2,
}


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Edge]:
    data_dir = tmp_path_factory.mktemp("edge")
    with (
        empty_pages() as page,
        Server.ready(data_dir, backbone=vit, cors_origins=page, **EDGE) as running,
        running.client(kept=0) as http,
    ):
        yield Edge(running, http, page)
        running.stop()
    log = running.log.read_text()
    assert "Application shutdown complete" in log
    assert "Traceback" not in log


@dataclass(frozen=True)
class Troubled:
    """A service whose database is put into trouble; each test ends the trouble it makes.

    Attributes:
        refused: Why its data folder is not on a small file system of its own; empty if it is.
    """

    server: Server
    refused: str


DATABASE_SECONDS = 1.0


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Troubled]:
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={24 * 2**20}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    data_dir, log = folder / "data", folder.with_name("troubled.log")
    try:
        data_dir.mkdir()
        (data_dir / "server.log").symlink_to(log)  # on another disk
        with Server.ready(data_dir, backbone=vit, database_seconds=DATABASE_SECONDS) as running:
            yield Troubled(running, mounted.stderr.strip())
            running.stop()
        assert "Traceback" not in log.read_text()
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)


_numbers = itertools.count(1)


def _fresh(http: httpx.Client) -> Classifier:
    made = Classifier(http, f"c{next(_numbers)}")
    assert made.put().status_code == 201
    return made


@pytest.fixture
def classifier(http: httpx.Client) -> Classifier:
    """A new, empty classifier."""
    return _fresh(http)


@pytest.fixture
def other(http: httpx.Client) -> Classifier:
    """Another one."""
    return _fresh(http)


@pytest.fixture
def small(small_service: Small) -> Classifier:
    """A new, empty classifier of the small service."""
    return _fresh(small_service.http)
