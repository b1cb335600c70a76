"""A classifier that is not in memory is loaded while the image is embedded; errors as before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from service.api.app import create_app
from service.api.predicting import both
from service.composition import ServiceParts
from service.encoder import load_encoder
from service.encoding.recipes import RecipeEmbedders
from service.settings import Settings
from service.storage.records import StoredClassifier
from tests.service.asgi import Client, in_loop
from tests.service.held import Held, until
from tests.service.pictures import picture

PATIENCE = 30.0


class Service:
    """The application with one classifier, whose loads and whose encoder can be held."""

    def __init__(self, runtime: ServiceParts, settings: Settings) -> None:
        self.app = create_app(settings)
        self.app.state.parts = self.runtime = runtime
        self.loads = 0
        self.may_load = Event()
        self.may_load.set()
        self.failure: Exception | None = None
        self._load = runtime.store.load
        runtime.store.load = self.load  # type: ignore[method-assign]

    @classmethod
    @asynccontextmanager
    async def running(cls, data_dir: Path, vit: str) -> AsyncIterator[Service]:
        # There is room for the classifier used last only: asking about b drops a.
        settings = Settings(data_dir=data_dir, backbone=vit, max_batch=1, classifier_memory=1)
        service = cls(await asyncio.to_thread(ServiceParts.start, settings), settings)
        for name in "ab":
            assert (await service.send("PUT", f"/v1/classifiers/{name}")).status == 201
            where = f"/v1/classifiers/{name}/classes/ant/images"
            assert (await service.send("POST", where, picture(1))).status == 201
        service.held = Held(service.runtime.backbone.encode_images)
        service.runtime.embedder.close()
        service.runtime.backbone.encode_images = service.held  # type: ignore[method-assign]
        service.runtime.embedder = RecipeEmbedders(
            service.runtime.backbone, settings, partial(load_encoder, settings)
        )
        try:
            yield service
        finally:
            service.may_load.set()
            service.held.let()
            await asyncio.to_thread(service.runtime.close)

    held: Held

    def load(self, name: str) -> StoredClassifier | None:
        self.loads += 1
        assert self.may_load.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        return self._load(name)

    async def send(self, method: str, path: str, body: bytes = b"") -> Client:
        """A request to its end."""
        client = Client(self.app)
        await client.send(method, path, body)
        return client

    def ask(self, name: str, body: bytes) -> tuple[Client, asyncio.Task[None]]:
        client = Client(self.app)
        return client, client.send("POST", f"/v1/classifiers/{name}/predict", body)

    async def asked(self, name: str, body: bytes) -> Client:
        client, done = self.ask(name, body)
        await done
        return client

    def waiting(self) -> int:
        return self.runtime.embedder.waiting


@in_loop
async def test_the_image_is_encoded_while_the_classifier_is_loaded(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.held.let()
        at_once = await service.asked("b", picture(3))  # in memory
        assert at_once.status == 200
        assert (await service.asked("a", picture(3))).status == 200  # b is dropped
        loads, passes = service.loads, len(service.held.batches)
        service.may_load.clear()
        client, done = service.ask("b", picture(3))
        # Both threads have begun: which of them is first, the machine decides.
        await until(
            lambda: (
                (service.loads, len(service.held.batches)) == (loads + 1, passes + 1)
                and service.waiting() == 0
            )
        )
        assert client.status == 0
        service.may_load.set()
        await done
        assert client.json() == at_once.json()


@in_loop
async def test_the_classifier_is_loaded_while_the_encoder_is_busy(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        client, done = service.ask("a", picture(3))
        await asyncio.to_thread(service.held.begun, 1)
        await until(lambda: service.runtime.registry.in_memory("a") is not None)
        assert client.status == 0
        service.held.let()
        await done
        assert client.status == 200


@in_loop
async def test_an_unknown_classifier_is_told_of_whatever_is_sent(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        for body in (b"no image", b"", picture(3)[:50]):
            for _ in range(5):
                client = await service.asked("never", body)
                assert (client.status, client.json()["type"]) == (404, "classifier-not-found")
            # Also where the image is found at fault long before.
            service.may_load.clear()
            client, done = service.ask("never", body)
            await asyncio.sleep(0.05)
            assert client.status == 0
            service.may_load.set()
            await done
            assert (client.status, client.json()["type"]) == (404, "classifier-not-found")


@in_loop
async def test_an_unknown_classifier_does_not_wait_for_the_encoder(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        busy, done = service.ask("b", picture(2))
        await asyncio.to_thread(service.held.begun, 1)
        assert (await service.asked("never", picture(3))).status == 404
        assert service.waiting() == 1  # what busy asks
        service.held.let()
        await done
        assert busy.status == 200


@in_loop
async def test_an_image_at_fault_is_told_of_and_the_classifier_stays(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.held.let()
        client = await service.asked("a", b"no image")
        assert 400 <= client.status < 500
        assert client.json()["type"] != "classifier-not-found"
        loads = service.loads
        assert (await service.asked("a", picture(3))).status == 200
        assert service.loads == loads


@in_loop
async def test_a_failed_load_answers_500_and_the_next_request_loads_again(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.held.let()
        service.failure = OSError("disk")
        client, done = service.ask("a", picture(3))
        with pytest.raises(OSError, match="disk"):  # the server's, after the answer
            await done
        assert client.status == 500
        await until(lambda: service.waiting() == 0)
        service.failure = None
        assert (await service.asked("a", picture(3))).status == 200


@in_loop
async def test_who_hangs_up_leaves_nothing_behind(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        busy, answered = service.ask("b", picture(2))
        await asyncio.to_thread(service.held.begun, 1)
        client, done = service.ask("a", picture(3))
        await until(lambda: service.waiting() == 2)
        client.hang_up()
        await done
        assert service.waiting() == 1
        service.held.let()
        await answered
        assert busy.status == 200
        assert (await service.asked("a", picture(3))).status == 200
        assert len(service.held.batches) == 2


async def _after(steps: int, log: list[str], name: str, outcome: Any) -> Any:
    try:
        for _ in range(steps):
            await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    finally:
        log.append(name)


@pytest.mark.parametrize(("one", "two"), [(1, 5), (5, 1)])
def test_the_first_error_wins_whichever_comes_first(one: int, two: int) -> None:
    log: list[str] = []
    assert asyncio.run(both(_after(one, log, "1", "a"), _after(two, log, "2", "b"))) == ("a", "b")
    with pytest.raises(KeyError):
        asyncio.run(both(_after(one, log, "1", KeyError()), _after(two, log, "2", ValueError())))
    with pytest.raises(ValueError, match=r"^$"):
        asyncio.run(both(_after(one, log, "1", "a"), _after(two, log, "2", ValueError(""))))
    assert sorted(log) == ["1", "1", "1", "2", "2", "2"]


def test_the_second_one_ends_with_the_error_of_the_first() -> None:
    log: list[str] = []
    with pytest.raises(KeyError):
        asyncio.run(both(_after(2, log, "1", KeyError()), _after(10**9, log, "2", "never")))
    assert log == ["1", "2"]


def test_both_are_cancelled_with_their_caller() -> None:
    log: list[str] = []

    async def wait() -> None:
        waiting = asyncio.ensure_future(
            both(_after(10**9, log, "1", "never"), _after(10**9, log, "2", "never"))
        )
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(wait())
    assert sorted(log) == ["1", "2"]
