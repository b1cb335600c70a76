"""Text embeddings of class names: made through a queue, outside of the writers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import torch
from fastapi import FastAPI

from adapters.backbones import Backbone
from adapters.loading import load_backbone
from service.api.app import create_app
from service.classifier_settings import ClassifierSettings
from service.composition import ServiceParts
from service.encoding.fair_queue import Priority
from service.encoding.text_embedder import TextEmbedder
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.live import LiveClassifier
from service.settings import Settings
from service.storage.prompt_cache import PromptCache
from tests.service.asgi import Client, in_loop
from tests.service.held import Held, until
from tests.service.pictures import picture, zipped

A = "/v1/classifiers/a"
JSON = {"content-type": "application/json"}


async def patiently(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer])


def test_texts_are_what_the_backbone_makes_of_them_alone(backbone: Backbone) -> None:
    labels = [f"Thing{i}" + " very" * (i % 40) for i in range(300)]
    templates = ("a photo of a {}.", "{}", "{} and {}")

    async def run() -> tuple[ClassTexts, ClassTexts]:
        texts = TextEmbedder(backbone, 100)
        try:
            return await asyncio.gather(
                texts.embed(TextsNeeded(templates, labels), "a", patiently),
                texts.embed(TextsNeeded((), labels[:5]), "b", patiently),
            )
        finally:
            texts.close()
            assert texts.waiting == dict.fromkeys(Priority, 0)

    many, few = asyncio.run(run())
    for got, expected in [
        (many, backbone.encode_classes(labels, templates)),
        (few, backbone.encode_classes(labels[:5])),
    ]:
        assert list(got.rows) == labels[: len(expected)]
        assert torch.allclose(torch.stack(list(got.rows.values())), expected, atol=1e-5)


def test_a_change_says_which_texts_it_lacks() -> None:
    row = torch.ones(1)
    texts = ClassTexts(("{}",), {"ant": row})
    settings = ClassifierSettings(templates=("{}",))
    own, other = "f" * 64, "e" * 64
    assert texts.under(settings, ["ant"], own) == [row]
    with pytest.raises(TextsNeeded) as needed:
        texts.under(settings, ["bee", "ant", "fly"], own)
    assert (needed.value.labels, needed.value.templates) == (["bee", "fly"], ("{}",))
    assert needed.value.prompts is None
    with pytest.raises(TextsNeeded) as needed:  # of other templates
        texts.under(ClassifierSettings(), ["ant"], own)
    assert needed.value.labels == ["ant"]
    prompted = ClassifierSettings(templates=("{}",), prompts="satellite")
    with pytest.raises(TextsNeeded) as needed:  # of prompts
        texts.under(prompted, ["ant"], other)
    assert needed.value.prompts == other
    under = texts.with_more(ClassTexts.of(needed.value, [row]))
    assert under.under(prompted, ["ant"], other) == [row]
    with pytest.raises(TextsNeeded):  # of other prompts of that name
        under.under(prompted, ["ant"], own)
    without_names = ClassifierSettings(names_carry_meaning=False)
    assert ClassTexts().under(without_names, ["ant"], own) == [None]


class Service:
    """The application with a classifier ``a`` of one class, whose text tower is held."""

    def __init__(self, app: FastAPI, held: Held) -> None:
        self.app = app
        self.held = held
        self.runtime: ServiceParts = app.state.parts

    @classmethod
    @asynccontextmanager
    async def running(cls, data_dir: Path, vit: str, **limits: Any) -> AsyncIterator[Service]:
        settings = Settings(data_dir=data_dir, backbone=vit, **limits)
        app = create_app(settings)
        runtime = app.state.parts = await asyncio.to_thread(ServiceParts.start, settings)
        service = cls(app, Held(runtime.backbone.encode_texts))  # type: ignore[arg-type]
        assert (await service.put(A, classes=["ant"])).status == 201
        runtime.texts.close()
        runtime.backbone.encode_texts = service.held  # type: ignore[assignment]
        kept = PromptCache(runtime.engine, runtime.backbone.model_fingerprint, 32)
        runtime.texts = TextEmbedder(runtime.backbone, settings.max_texts, kept)
        try:
            yield service
        finally:
            service.held.let()
            await asyncio.to_thread(runtime.close)

    def begin(self, path: str, **sent: Any) -> tuple[Client, asyncio.Task[None]]:
        client = Client(self.app)
        return client, client.send("PUT", path, json.dumps(sent).encode(), JSON)

    async def put(self, path: str, **sent: Any) -> Client:
        client, task = self.begin(path, **sent)
        await task
        return client

    async def embedding(self, passes: int = 1) -> None:
        """Wait until a pass is held."""
        await asyncio.to_thread(self.held.begun, passes)

    @property
    def live(self) -> LiveClassifier:
        return self.runtime.registry.live("a")

    def waiting(self) -> int:
        return self.runtime.texts.waiting[Priority.REGISTRATIONS]


def many(number: int = 200) -> list[str]:
    return [f"class {i}" for i in range(number)]


@in_loop
async def test_nobody_waits_for_the_class_names_of_others(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        begun = [service.begin(f"/v1/classifiers/c{i}", classes=many()) for i in range(20)]
        begun.append(service.begin(A, classes=many(), templates=["a drawing of {}"]))
        await service.embedding()
        # Changes that need no names: of others, and of the same classifier.
        meaningless = await service.put("/v1/classifiers/b", names_carry_meaning=False)
        assert meaningless.status == 201
        assert (await service.put(A, coverage=0.9)).status == 200
        client = Client(service.app)
        await client.send("POST", f"{A}/classes/ant/images", picture(1))
        assert client.status == 201
        assert not any(task.done() for _, task in begun)
        service.held.let()
        await asyncio.gather(*(task for _, task in begun))
        assert [client.status for client, _ in begun] == [201] * 20 + [200]
        assert len(service.live.classes) == 201
        assert service.waiting() == 0


@in_loop
async def test_who_hangs_up_is_not_embedded_for_any_more(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        client, task = service.begin("/v1/classifiers/b", classes=many(1000))
        await service.embedding()
        client.hang_up()
        await until(task.done)
        assert service.waiting() == 0
        service.held.let()
        got = Client(service.app)
        await got.send("GET", "/v1/classifiers/b")
        assert got.status == 404
        assert len(service.held.batches) <= 2  # of 63


@in_loop
async def test_a_body_that_nobody_reads_and_nobody_would_take_is_refused_meanwhile(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        client = Client(service.app)
        task = client.send("PUT", f"{A}/classes/bee", b"?", {"content-encoding": "br"})
        await until(task.done)
        assert client.status == 415
        assert client.json()["type"] == "unsupported-media-type"
        assert service.waiting() == 0
        assert list(service.live.classes) == ["ant"]


@in_loop
async def test_a_shutdown_that_cancels_ends_within_a_pass(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        tasks = [service.begin(f"/v1/classifiers/c{i}", classes=many(900))[1] for i in range(9)]
        await service.embedding()
        for task in tasks:  # as uvicorn does once the grace is over
            task.cancel()
        done, _ = await asyncio.wait(tasks, timeout=5)
        assert len(done) == 9
        assert service.waiting() == 0
        service.held.let()
        began = monotonic()
        await asyncio.to_thread(service.runtime.texts.close)
        assert monotonic() - began < 5
        assert len(service.held.batches) <= 2  # of 507
        assert len(service.runtime.store.classifiers()) == 1


@in_loop
async def test_classes_that_came_meanwhile_are_embedded_too(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        client, task = service.begin(A, templates=["a drawing of {}"])
        await service.embedding()
        runtime = service.runtime
        bee = ClassTexts((), {"bee": torch.ones(32) / 32**0.5})
        assert await asyncio.to_thread(runtime.registry.put_class, "a", "bee", bee)
        service.held.let()
        await task
        assert client.status == 200
        expected = load_backbone(vit, "cpu").encode_classes(["ant", "bee"], ["a drawing of {}"])
        got = [record.text for record in service.live.classes.values()]
        assert torch.allclose(torch.stack(got), expected, atol=1e-5)  # type: ignore[arg-type]
        assert [len(batch) for batch in service.held.batches] == [1, 1]  # ant is not made again


@in_loop
async def test_too_many_texts_that_wait_are_refused(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit, max_texts=100) as service:
        # Each counts for a quarter of the limit; other classifiers are let in up to twice it.
        begun = [service.begin(f"/v1/classifiers/c{i}", classes=many(100)) for i in range(8)]
        await until(lambda: service.waiting() == 8 * 100)
        refused = await service.put("/v1/classifiers/z", classes=["one"])
        assert refused.status == 503
        assert refused.json()["type"] == "overloaded"
        assert "HANDFUL_MAX_TEXTS" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        service.held.let()
        await asyncio.gather(*(task for _, task in begun))
        assert {client.status for client, _ in begun} == {201}
        assert (await service.put("/v1/classifiers/z", classes=["one"])).status == 201


@in_loop
async def test_classes_times_templates_are_bounded(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit, max_texts=6) as service:
        service.held.let()

        def refused(client: Client, *told: str) -> None:
            assert client.status == 413, client.body
            assert client.json()["type"] == "request-too-large"
            for words in ("at most 6", "HANDFUL_MAX_TEXTS", *told):
                assert words in client.json()["detail"]

        three, four = ["{}", "a {}", "the {}"], ["{}", "a {}", "the {}", "one {}"]
        refused(await service.put("/v1/classifiers/b", classes=many(7)), "7 classes")
        refused(
            await service.put("/v1/classifiers/b", classes=many(2), templates=four),
            "2 classes times 4 templates",
            "3 templates or fewer",
        )
        assert (await service.put(A, classes=["ant", "bee"], templates=three)).status == 200
        refused(await service.put(A, templates=four))
        refused(await service.put(f"{A}/classes/fly"))
        archive = zipped({f"{label}/1.png": picture(i) for i, label in enumerate(["fly", "ant"])})
        client = Client(service.app)
        await client.send("POST", f"{A}/support", archive, {"content-type": "application/zip"})
        refused(client)
        assert list(service.live.classes) == ["ant", "bee"]
        assert not service.live.support
        # Where names carry no meaning there are no texts.
        no_names = {"names_carry_meaning": False, "templates": four}
        assert (await service.put(A, **no_names)).status == 200
        assert (await service.put(f"{A}/classes/fly")).status == 201


@in_loop
async def test_names_that_any_classifier_had_cost_no_pass(tmp_path: Path, vit: str) -> None:
    async with Service.running(tmp_path, vit) as service:
        service.held.let()
        b, c = "/v1/classifiers/b", "/v1/classifiers/c"
        # Two are written alike, and are one prompt.
        assert (await service.put(b, classes=[*many(100), "class_1"])).status == 201
        assert sum(map(len, service.held.batches)) == 100
        assert (await service.put(b, templates=["a drawing of {}"])).status == 200
        assert sum(map(len, service.held.batches)) == 200
        assert (await service.put(c, classes=many(100))).status == 201
        assert (
            await service.put(b, templates=["a drawing of {}", "a photo of a {}."])
        ).status == 200
        client = Client(service.app)
        await client.send("DELETE", b)
        assert client.status == 204
        assert (await service.put(b, classes=many(100))).status == 201
        assert (await service.put(f"{A}/classes/class%207")).status == 201
        assert sum(map(len, service.held.batches)) == 200
        live = service.runtime.registry.live("b")
        got = torch.stack([live.classes[label].text for label in many(100)])  # type: ignore[misc]
        assert torch.allclose(got, load_backbone(vit, "cpu").encode_classes(many(100)), atol=1e-5)


@in_loop
async def test_a_single_name_waits_for_a_short_pass_of_a_large_request(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        _, large = service.begin("/v1/classifiers/b", classes=many(400))
        await service.embedding()
        _, single = service.begin(f"{A}/classes/bee")
        await until(lambda: service.waiting() == 401)
        service.held.let(2)
        await single  # in the pass after the one that was under way
        assert not large.done()
        assert [len(batch) for batch in service.held.batches[:2]] == [64, 16]
        service.held.let()
        await large


@in_loop
async def test_names_are_embedded_beside_images_and_only_for_those_that_can_be_registered(
    tmp_path: Path, vit: str
) -> None:
    async with Service.running(tmp_path, vit) as service:
        zip_type = {"content-type": "application/zip"}
        named = {f"class {i}/1.png": picture(i) for i in range(100)}
        embedder = service.runtime.embedder
        [of_recipe] = embedder._embedders.values()
        images = Held(of_recipe._batcher._encode)
        of_recipe._batcher._encode = images
        client = Client(service.app)
        task = client.send("POST", f"{A}/support", zipped(named), zip_type)
        await asyncio.to_thread(images.begun, 1)
        await service.embedding()  # while an image is
        images.let()
        await until(lambda: embedder.waiting == 0)
        assert not task.done()
        service.held.let(2)
        await task
        assert client.status == 201
        assert len(service.live.classes) == 101

        broken = zipped({"bee/1.png": picture(0), "fly/1.png": picture(1)[:90]})
        client = Client(service.app)
        await client.send("POST", f"{A}/support", broken, zip_type)  # no pass is let any more
        assert client.status == 422
        assert service.waiting() == 0
        assert len(service.live.classes) == 101
