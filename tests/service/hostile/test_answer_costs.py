"""What answers cost: those that are much larger than what asks for them."""

from __future__ import annotations

from pathlib import Path

from tests.service.client import problem
from tests.service.server import Server
from tests.service.sockets import Bare, head

MIB = 2**20
# Embeddings of so many texts are more than a MiB as numbers (24 bytes each), and less in base64.
TEXTS = 1500


def test_embeddings_of_an_answer_are_of_the_budget_of_bytes(tmp_path: Path, vit: str) -> None:
    asked = {"texts": [f"number {one}" for one in range(TEXTS)]}
    with (
        Server.ready(tmp_path, backbone=vit, max_bytes_in_flight=MIB) as server,
        server.client() as http,
    ):
        alone = http.post("/v1/embeddings", json=asked)
        assert alone.status_code == 200
        assert len(alone.json()["embeddings"]) == TEXTS
        sending = Bare(server.url).send(head("PUT", "/v1/classifiers/a", content_length=100), b"{")
        problem(http.post("/v1/embeddings", json=asked), 503, "overloaded")
        packed = http.post("/v1/embeddings", json=asked, params={"encoding_format": "base64"})
        assert packed.status_code == 200
        sending.close()
