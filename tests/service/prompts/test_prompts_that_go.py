"""Prompts that go while a request is under way: it looks again, or says that it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.backbones import Backbone
from service.api import offloading
from service.api.recipes import embedded_for
from service.encoding.prompted import PromptedEncoders
from service.encoding.recipes import RecipeEmbedders, RecipeGone
from service.encoding.text_embedder import TextEmbedder
from service.problems import ChangedMeanwhile
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.settings import Settings

GONE = "b" * 64
NEEDED = TextsNeeded(("{}",), ["ant"], GONE)


@pytest.fixture
def texts(backbone: Backbone) -> Iterator[TextEmbedder]:
    def never(*_: object) -> Any:
        raise AssertionError

    settings = Settings()
    prompted = PromptedEncoders(settings, backbone.model_fingerprint, never, never)
    embedders = RecipeEmbedders(backbone, settings, never, prompted)
    made = TextEmbedder(backbone, 100, prompted=embedders.encoder)
    yield made
    made.close()
    embedders.close()


async def patient(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer])


def test_texts_under_prompts_that_are_gone_are_not_embedded(texts: TextEmbedder) -> None:
    with pytest.raises(RecipeGone):
        asyncio.run(texts.embed(NEEDED, "a", patient))
    with pytest.raises(RecipeGone):
        asyncio.run(texts.embed_as_written(["ant"], "a", patient, GONE))


def test_a_change_asks_again_which_texts_it_needs(
    texts: TextEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def change(*_: object) -> str:
        nonlocal asked
        asked += 1
        if asked < most:
            raise NEEDED
        return "done"

    monkeypatch.setattr(offloading, "run_change", change)
    monkeypatch.setattr(offloading, "deadline_or_disconnect", lambda _: patient)
    parts: Any = SimpleNamespace(texts=texts)
    request: Any = None

    async def changed() -> Any:
        return await offloading.run_change_with_texts(request, parts, print, "a")

    async def ahead() -> ClassTexts:
        async with offloading.texts_ahead(request, parts, "a", NEEDED) as embedded:
            return await embedded()

    most = 2
    assert asyncio.run(changed()) == "done"
    most = 1000
    with pytest.raises(ChangedMeanwhile) as refused:
        asyncio.run(changed())
    assert refused.value.headers == {"retry-after": "5"}
    assert asyncio.run(ahead()) == ClassTexts()


def test_what_is_compared_looks_again_past_what_is_in_memory() -> None:
    registry = SimpleNamespace(in_memory=lambda _: "behind", live=lambda _: "latest")
    parts: Any = SimpleNamespace(registry=registry)

    async def embed(live: Any) -> str:
        if live == "behind":
            raise RecipeGone
        return "row"

    found: tuple[Any, str] = asyncio.run(embedded_for(parts, "a", embed))
    assert found == ("latest", "row")
    registry.live = lambda _: "behind"
    with pytest.raises(ChangedMeanwhile) as refused:
        asyncio.run(embedded_for(parts, "a", embed))
    assert refused.value.headers == {"retry-after": "1"}
