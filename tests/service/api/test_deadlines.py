"""Deadlines, clients that hang up, and too much to do, while the encoder is held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from fastapi import FastAPI
from prometheus_client import REGISTRY

from service.api.app import create_app
from service.composition import ServiceParts
from service.encoder import load_encoder
from service.encoding.fair_queue import Priority
from service.encoding.recipes import RecipeEmbedders
from service.registry.class_texts import ClassTexts
from service.registry.registry import Registry
from service.settings import Settings
from tests.service.asgi import Client, in_loop
from tests.service.held import Held, until
from tests.service.pictures import picture, zipped

PREDICT = "/v1/classifiers/a/predict"
IMAGES = "/v1/classifiers/a/classes/new/images"


def metric(name: str, lane: str = "queries") -> float:
    return REGISTRY.get_sample_value(name, {"lane": lane}) or 0.0


class Service:
    """The application with classifiers a and b, and an encoder that is held.

    It is occupied with one pass, so whatever is asked waits.
    """

    def __init__(self, app: FastAPI, held: Held) -> None:
        self.app = app
        self.held = held

    @classmethod
    @asynccontextmanager
    async def running(cls, data_dir: Path, vit: str, **limits: Any) -> AsyncIterator[Service]:
        settings = Settings(data_dir=data_dir, backbone=vit, max_batch=1, **limits)
        app = create_app(settings)
        runtime = app.state.parts = await asyncio.to_thread(ServiceParts.start, settings)
        service = cls(app, Held(runtime.backbone.encode_images))
        runtime.backbone.passes = 1
        for name in "ab":
            assert (await service.get("PUT", f"/v1/classifiers/{name}")).status == 201
            where = f"/v1/classifiers/{name}/classes/ant/images"
            assert (await service.get("POST", where, picture(1))).status == 201
        runtime.embedder.close()
        runtime.backbone.encode_images = service.held
        runtime.embedder = RecipeEmbedders(
            runtime.backbone, settings, partial(load_encoder, settings)
        )
        first = Client(app)
        busy = first.send("POST", "/v1/classifiers/b/predict", picture(2))
        await asyncio.to_thread(service.held.begun, 1)
        try:
            yield service
        finally:
            service.held.let()
            await busy
            assert first.status in {200, 504}
            await asyncio.to_thread(runtime.close)

    async def get(self, method: str, path: str, body: bytes = b"", **headers: str) -> Client:
        """A request to its end."""
        client = Client(self.app)
        await client.send(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return client

    async def waiting(self, images: int, lane: str = "queries") -> None:
        """Wait until so many images wait; the one that occupies the encoder is one of them."""
        await until(lambda: metric("handful_waiting_images", lane) == images)


def check(client: Client, status: int, kind: str, *told: str) -> None:
    assert client.status == status, client.body
    assert client.headers["content-type"] == "application/problem+json"
    document = client.json()
    assert document["type"] == kind
    for words in told:
        assert words in document["detail"]


@in_loop
async def test_a_prediction_whose_time_is_over_is_dropped(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        late = await service.get("POST", PREDICT, picture(3), request_timeout="0.01")
        check(late, 504, "deadline-exceeded", "0.01 s")
        assert metric("handful_waiting_images") == 1
        service.held.let()
        assert (await service.get("POST", PREDICT, picture(4))).status == 200
        assert len(service.held.batches) == 2


@in_loop
async def test_the_service_has_a_deadline_of_its_own(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit, predict_seconds=0.2) as service:
        check(await service.get("POST", PREDICT, picture(3)), 504, "deadline-exceeded", "0.2 s")
        late = await service.get("POST", PREDICT, picture(3), request_timeout="1000")
        check(late, 504, "deadline-exceeded", "0.2 s")


@in_loop
async def test_predict_returns_422_when_request_timeout_is_no_time(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        for none in ("0", "-1", "nan", "inf", "soon", ""):
            answer = await service.get("POST", PREDICT, picture(3), request_timeout=none)
            check(answer, 422, "request-validation-failed", "header.request-timeout")
        service.held.let()
        answer = await service.get("POST", PREDICT, picture(3), request_timeout="2.5")
        assert answer.status == 200


@in_loop
async def test_a_prediction_whose_client_hangs_up_is_dropped(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        client = Client(service.app)
        asked = client.send("POST", PREDICT, picture(3))
        await service.waiting(2)
        client.hang_up()
        await asked
        assert metric("handful_waiting_images") == 1
        service.held.let()
        assert (await service.get("POST", PREDICT, picture(4))).status == 200
        assert len(service.held.batches) == 2


@in_loop
async def test_a_registration_whose_client_hangs_up_is_dropped(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        archive = zipped({f"new/{i}.png": picture(i) for i in range(40)})
        client = Client(service.app)
        sent = client.send(
            "POST", "/v1/classifiers/a/support", archive, {"content-type": "application/zip"}
        )
        await service.waiting(40, "registrations")
        client.hang_up()
        await sent
        assert metric("handful_waiting_images", "registrations") == 0
        service.held.let()
        classes = (await service.get("GET", "/v1/classifiers/a/classes")).json()["classes"]
        assert [one["label"] for one in classes] == ["ant"]
        assert (await service.get("POST", IMAGES, picture(0))).json()["created"] == 1
        assert len(service.held.batches) == 2


@in_loop
async def test_predict_returns_503_when_queue_is_full(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit, max_waiting=3) as service:
        refusals = metric("handful_refused_requests_total")
        clients = [Client(service.app) for _ in range(2)]
        asked = [client.send("POST", PREDICT, picture(3)) for client in clients]
        await service.waiting(3)
        refused = await service.get("POST", PREDICT, picture(4))
        check(
            refused, 503, "overloaded", "As many images wait as are admitted", "HANDFUL_MAX_WAITING"
        )
        assert int(refused.headers["retry-after"]) >= 1
        assert metric("handful_refused_requests_total") == refusals + 1
        # Nothing that is no image was looked at.
        check(await service.get("POST", PREDICT, b"no image"), 503, "overloaded")
        service.held.let()
        await asyncio.gather(*asked)
        assert [client.status for client in clients] == [200, 200]
        assert (await service.get("POST", PREDICT, picture(4))).status == 200


@in_loop
async def test_a_large_registration_leaves_room_for_queries(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit, max_waiting=1) as service:
        client = Client(service.app)
        archive = zipped({f"new/{i}.png": picture(i) for i in range(40)})
        sent = client.send(
            "POST", "/v1/classifiers/a/support", archive, {"content-type": "application/zip"}
        )
        await service.waiting(40, "registrations")
        refused = await service.get("POST", IMAGES, picture(99))
        check(refused, 503, "overloaded", "As many images wait as are admitted")
        query = Client(service.app)
        asked = query.send("POST", PREDICT, picture(3))
        parts = service.app.state.parts
        decoded = parts.embedder.of(parts.store.fingerprint)._batcher._pixels
        await until(lambda: decoded.waiting(Priority.QUERIES) == 1)
        # The pass under way, that of the query, and one of the registration before it at most.
        service.held.let(3)
        await asked
        assert query.status == 200
        assert not sent.done()
        service.held.let()
        await sent
        assert client.json()["created"] == 40


@in_loop
async def test_changes_of_one_classifier_leave_threads_to_the_others(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.held.let()
        registry: Registry = service.app.state.parts.registry
        put_class, go = registry.put_class, Event()

        def slowly(name: str, label: str, texts: ClassTexts) -> bool:
            assert name == "b" or go.wait(30)
            return put_class(name, label, texts)

        registry.put_class = slowly  # type: ignore[assignment, method-assign]
        clients = [Client(service.app) for _ in range(20)]
        sent = [
            client.send("PUT", f"/v1/classifiers/a/classes/c{i}")
            for i, client in enumerate(clients)
        ]
        await asyncio.sleep(0)
        assert (await service.get("PUT", "/v1/classifiers/b/classes/new")).status == 201
        assert not any(one.done() for one in sent)
        go.set()
        await asyncio.gather(*sent)
        assert {client.status for client in clients} == {201}
