"""Two running services for most tests: one as installed, one with low limits."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2 as httpx
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from tests.service.client import Classifier
from tests.service.server import Server

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
    with Server.ready(tmp_path_factory.mktemp("lite")) as running:
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
        folder = tmp_path_factory.mktemp("vit")
        config = {
            "embed_dim": 32,
            "vision_cfg": {
                "image_size": 32,
                "layers": 2,
                "width": 64,
                "head_width": 32,
                "patch_size": 8,
            },
            "text_cfg": {
                "context_length": 77,
                "vocab_size": 49408,
                "width": 32,
                "heads": 2,
                "layers": 1,
            },
        }
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config)
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
        described = {
            "model_cfg": config,
            "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
        }
        (folder / "open_clip_config.json").write_text(json.dumps(described))
        return f"local-dir:{folder}"

    return make


@pytest.fixture(scope="session")
def vit(tiny_vit: Callable[[int], str]) -> str:
    """Name of a backbone that starts quickly."""
    return tiny_vit(0)


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
