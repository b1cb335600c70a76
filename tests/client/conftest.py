"""A service for the tests of the client, with low limits, so that its batches do not fit them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from handful_client import Classifier, Client

from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

MOST_IMAGES = 40
"""Images of a request at most."""


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One that starts quickly."""
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'), 0)}"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("client")
    settings = {"max_images_per_request": MOST_IMAGES, "job_folders": folder}
    with Server.ready(folder, backbone=backbone, **settings) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.log.read_text()


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    with Client(service.url) as made:
        yield made


_numbers = itertools.count(1)


@pytest.fixture
def classifier(client: Client) -> Classifier:
    """One that is not there yet."""
    return client.classifier(f"new-{next(_numbers)}")
