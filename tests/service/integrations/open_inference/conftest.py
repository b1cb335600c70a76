"""A service that speaks the Open Inference Protocol, with low limits, and one with keys."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, of_four
from tests.service.pictures import picture
from tests.service.server import Server

# Limits of the service.
MOST_IMAGES = 8
MOST_IMAGE_BYTES = 20_000
MOST_BYTES = 200_000


def free_port() -> int:
    """A port that nobody has for now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


GRPC_PORT = free_port()


@pytest.fixture(scope="session")
def oip(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    limits: dict[str, object] = {
        "max_images_per_request": MOST_IMAGES,
        "max_image_bytes": MOST_IMAGE_BYTES,
        "max_request_bytes": MOST_BYTES,
        "grpc_max_message_bytes": MOST_BYTES,
    }
    data_dir = tmp_path_factory.mktemp("oip")
    settings = {"integrations": "open-inference", "grpc_port": GRPC_PORT, **limits}
    with Server.ready(data_dir, backbone=vit, **settings) as running:
        with running.client() as http:
            http.get("/v2/health/ready").raise_for_status()  # the port of gRPC is open, too
        yield running
        running.stop()
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="session")
def oip_http(oip: Server) -> Iterator[httpx.Client]:
    with oip.client() as http:
        yield http


@pytest.fixture(scope="session")
def insects(oip_http: httpx.Client) -> Classifier:
    """A classifier of ants and bees."""
    return of_four(oip_http, "insects")


@pytest.fixture(scope="session")
def several(oip_http: httpx.Client) -> Classifier:
    """A classifier whose images may have several labels."""
    made = Classifier(oip_http, "several")
    made.put(multi_label=True).raise_for_status()
    for label, seeds in (("ant", range(6)), ("bee", range(4, 10))):
        made.post(label, *map(picture, seeds)).raise_for_status()
    return made
