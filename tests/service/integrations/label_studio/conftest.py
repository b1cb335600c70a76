"""A service that is a backend of a stand-in of Label Studio, and learns of it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest

from tests.service.client import Classifier
from tests.service.integrations.label_studio.stand_in import LEGACY, Json, LabelStudio, label_studio
from tests.service.server import Server

_numbers = itertools.count(1)
_PATIENCE = 60.0


@dataclass
class Backend:
    """A classifier of the service, as Label Studio knows it.

    Attributes:
        there: The stand-in.
        server: The service.
    """

    http: httpx.Client
    there: LabelStudio
    server: Server
    name: str = field(default_factory=lambda: f"insects{next(_numbers)}")

    @property
    def url(self) -> str:
        return f"/label-studio/{self.name}"

    @property
    def classifier(self) -> Classifier:
        return Classifier(self.http, self.name)

    def post(self, what: str, body: Any) -> httpx.Response:
        content = json.dumps(body)  # in ASCII, as Label Studio sends it
        headers = {"content-type": "application/json"}
        return self.http.post(f"{self.url}/{what}", content=content, headers=headers)

    def tell(self, *webhooks: Json) -> None:
        """Send webhooks, whose actions are of interest or not."""
        for webhook in webhooks:
            answer = self.post("webhook", webhook)
            assert answer.status_code == 200, answer.text

    def status(self) -> Json:
        answer: Json = self.http.get(f"{self.url}/status").json()
        return answer

    def settled(self) -> Json:
        """The status, once nothing waits."""
        end = time.monotonic() + _PATIENCE
        while (status := self.status())["waiting"]:
            assert time.monotonic() < end, status
            time.sleep(0.02)
        return status

    def counts(self) -> dict[str, int]:
        """Images of each class that has some, once nothing waits."""
        self.settled()
        return {label: n for label, n in self.classifier.counts().items() if n}

    def predict(self, *tasks: Json) -> list[Any]:
        answer = self.post("predict", self.there.asks(*tasks))
        assert answer.status_code == 200, answer.text
        results: list[Any] = answer.json()["results"]
        assert len(results) == len(tasks)
        return results


@pytest.fixture(scope="session")
def learning(
    tmp_path_factory: pytest.TempPathFactory, vit: str
) -> Iterator[Callable[..., Backend]]:
    """Makes a classifier with a project of its own; all are of one service and one stand-in."""
    with (
        label_studio() as there,
        Server.ready(
            tmp_path_factory.mktemp("backend"),
            backbone=vit,
            integrations="label-studio",
            label_studio_url=there.url,
            label_studio_token=LEGACY,
            fetch_seconds=1,
            max_image_bytes=100_000,
            max_classes=4,
        ) as server,
        server.client() as http,
    ):
        projects = itertools.count(7)

        def make(**given: Any) -> Backend:
            there.project = next(projects)
            there.tasks, there.annotations = {}, {}
            there.config = given.pop("config", LabelStudio.config)
            backend = Backend(http, there, server)
            assert backend.classifier.put(**given).status_code == 201
            return backend

        yield make
        server.stop()
        log = server.log.read_text()
        assert "Traceback" not in log
        assert LEGACY not in log
