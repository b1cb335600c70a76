"""``?wait=tuned`` and the state of a tuning, of the application with tunings that can be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import httpx2 as httpx
import pytest

from adapters.rest import Rest
from service.api.app import create_app
from service.composition import ServiceParts
from service.registry.background_tuning import BackgroundTuner, Outcome
from service.settings import Settings
from tests.service.asgi import Client, in_loop
from tests.service.client import Classifier
from tests.service.held import until
from tests.service.pictures import picture
from tests.service.registries import image
from tests.service.server import Server

PATIENCE = 60
#: More than are tuned at once.
MANY = 65
A = "/v1/classifiers/a"
ANTS = f"{A}/classes/ant/images"


class Service:
    """The application with a classifier of many images, whose tunings wait for ``go_on``."""

    def __init__(self, parts: ServiceParts, settings: Settings) -> None:
        self.app = create_app(settings)
        self.app.state.parts = self.parts = parts
        self.begun, self.go_on = Event(), Event()
        parts.tuner.close()
        registry = parts.registry
        registry.tunings.__init__()  # type: ignore[misc]
        parts.tuner = BackgroundTuner(registry.tunings, self.tune, share=1)

    def tune(self, name: str, rest: Rest) -> Outcome:
        self.begun.set()
        while not self.go_on.wait(0.001):
            rest()
        return self.parts.registry.tune(name, rest)

    @classmethod
    @asynccontextmanager
    async def running(cls, data_dir: Path, vit: str) -> AsyncIterator[Service]:
        settings = Settings(data_dir=data_dir, backbone=vit)
        service = cls(await asyncio.to_thread(ServiceParts.start, settings), settings)
        try:
            sent = await service.send(
                "PUT", A, b'{"names_carry_meaning": false}', **{"content-type": "application/json"}
            )
            assert sent.status == 201
            own = service.parts.backbone.fingerprint
            images = [
                ("ant" if i % 2 else "bee", replace(image(i), fingerprint=own)) for i in range(MANY)
            ]
            await asyncio.to_thread(service.parts.registry.add_images, "a", images)
            yield service
        finally:
            service.go_on.set()
            await asyncio.to_thread(service.parts.close)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[Client, asyncio.Task[None]]:
        client = Client(self.app)
        return client, client.send(method, path, body, headers)

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Client:
        client, done = self.ask(method, path, body, **headers)
        await done
        return client

    async def tuning(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.send("GET", A)).json()["tuning"]
        return told


@in_loop
async def test_the_answer_waits_for_the_tuning(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        client, done = service.ask("POST", f"{ANTS}?wait=tuned", picture(1))
        await asyncio.to_thread(service.begun.wait, PATIENCE)
        told = await service.tuning()
        assert (told["state"], told["images_behind"], told["votes"]) == ("running", 1, MANY)
        assert client.status == 0
        service.go_on.set()
        await done
        assert client.status == 201
        told = await service.tuning()
        assert (told["state"], told["images_behind"], told["votes"]) == ("current", 0, MANY + 1)


@in_loop
async def test_nobody_waits_unasked(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        answer = await service.send("POST", ANTS, picture(1))
        assert answer.status == 201
        [registered] = answer.json()["images"]
        assert (await service.tuning())["state"] in ("stale", "running")
        assert (await service.send("DELETE", f"{ANTS}/{registered['id']}")).status == 204
        assert (await service.tuning())["images_behind"] == 2
        service.go_on.set()


@in_loop
async def test_the_change_is_done_when_the_time_is_over(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        briefly = {"request-timeout": "0.05"}
        answer = await service.send("POST", f"{ANTS}?wait=tuned", picture(1), **briefly)
        assert answer.status == 201
        assert answer.json()["created"] == 1
        assert (await service.tuning())["state"] == "running"
        # A duplicate changes nothing, and waits all the same.
        client, done = service.ask("POST", f"{ANTS}?wait=tuned", picture(1))
        await until(lambda: service.parts.registry.tunings._waiting != {})
        assert client.status == 0
        service.go_on.set()
        await done
        assert (client.status, client.json()["duplicates"]) == (201, 1)
        assert (await service.tuning())["state"] == "current"


@in_loop
async def test_every_change_can_wait(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.go_on.set()
        [registered] = (await service.send("POST", f"{ANTS}?wait=tuned", picture(1))).json()[
            "images"
        ]
        for method, path, status in (
            ("PUT", f"{A}/classes/cat", 201),
            ("DELETE", f"{A}/classes/cat", 204),
            ("DELETE", f"{ANTS}/{registered['id']}", 204),
            ("PUT", A, 200),
        ):
            assert (await service.send(method, f"{path}?wait=tuned")).status == status
            told = await service.tuning()
            assert (told["state"], told["images_behind"]) == ("current", 0)
        assert (await service.send("DELETE", f"{ANTS}/0?wait=forever")).status == 422


@in_loop
async def test_who_hangs_up_waits_no_more(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        waiting = service.parts.registry.tunings._waiting
        client, done = service.ask("POST", f"{ANTS}?wait=tuned", picture(1))
        await until(lambda: waiting != {})
        client.hang_up()
        await asyncio.wait([done])
        assert waiting == {}
        assert (await service.tuning())["images_behind"] == 1
        service.go_on.set()


def stale(http: httpx.Client) -> Classifier:
    made = Classifier(http, "a")
    made.put(names_carry_meaning=False).raise_for_status()
    images = {f"{'ant' if i % 2 else 'bee'}/{i}.png": picture(i) for i in range(MANY)}
    made.post_support(images).raise_for_status()
    return made


def tuning_of(classifier: Classifier) -> dict[str, Any]:
    told: dict[str, Any] = classifier.http.get(classifier.url).json()["tuning"]
    return told


def test_a_tuning_that_a_kill_cut_off_is_made_after_the_restart(tmp_path: Path, vit: str) -> None:
    # A millionth of a core: what is not done after some milliseconds takes hours.
    with Server.ready(tmp_path, backbone=vit, tuning_share=1e-6) as server:
        with server.client() as http:
            classifier = stale(http)
            for seed in range(MANY, MANY + 8):
                classifier.post("ant", picture(seed)).raise_for_status()
            assert tuning_of(classifier)["state"] in ("stale", "running")
        server.kill()
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        classifier = Classifier(http, "a")
        told = tuning_of(classifier)
        assert told["state"] == "stale"
        assert told["images_behind"] >= 1
        # Any use has it loaded, and what is loaded stale is tuned.
        answer = http.post(
            f"{classifier.class_url('ant')}/images",
            params={"wait": "tuned"},
            content=picture(MANY),
            headers={"content-type": "image/png"},
        )
        assert answer.json()["duplicates"] == 1
        told = tuning_of(classifier)
        assert (told["state"], told["images_behind"]) == ("current", 0)
        assert 'handful_tunings_total{outcome="written"} 1.0' in http.get("/metrics").text
        server.stop()


@pytest.mark.long
def test_several_processes_tune_what_one_of_them_has_changed(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path, backbone=vit, processes=2) as server, server.client(0) as http:
        classifier = stale(http)
        for seed in range(MANY, MANY + 4):
            answer = http.post(
                f"{classifier.class_url('ant')}/images",
                params={"wait": "tuned"},
                content=picture(seed),
                headers={"content-type": "image/png"},
            )
            assert answer.json()["created"] == 1
            told = tuning_of(classifier)
            assert (told["state"], told["images_behind"]) == ("current", 0)
        server.stop()
