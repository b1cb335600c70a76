"""Images for different prompts share passes of one model, and text prompts one thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.loading import load_shared_towers
from adapters.prompts.prompted_encoder import PromptedEncoder
from adapters.prompts.shared_towers import SharedTowers
from service.encoding.prompted import PromptedEncoders
from service.encoding.text_embedder import TextEmbedder
from service.images.uploaded import UploadedImage
from service.problems import InvalidPrompts
from service.registry.class_texts import TextsNeeded
from service.settings import Settings
from tests.learned_prompts import write_prompts
from tests.service.pictures import picture
from tests.small_clip import write_small_clip

MODEL = "f" * 64


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def files(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("prompts")
    shapes: list[dict[str, int]] = [{}, {}, {"depth": 3, "length": 1}]
    return [
        write_prompts(folder / str(i), name, i, **shape).read_bytes()
        for i, shape in enumerate(shapes)
    ]


@pytest.fixture(scope="module")
def towers(name: str) -> SharedTowers:
    return load_shared_towers(name, "cpu")


@pytest.fixture
def encoders(towers: SharedTowers) -> Iterator[PromptedEncoders]:
    made = PromptedEncoders(Settings(max_batch=8), MODEL, lambda: towers, lambda _: None)
    yield made
    for one in made.embedders:
        one.close()


async def _done(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer])


def _image(seed: int) -> UploadedImage:
    return UploadedImage(f"{seed}.png", partial(picture, seed))


def known(encoders: PromptedEncoders, fingerprint: str) -> PromptedEncoder:
    """The encoder of a fingerprint that is there."""
    found = encoders.encoder(fingerprint)
    assert found is not None
    return found


def test_queries_for_several_prompts_share_a_pass(
    encoders: PromptedEncoders,
    towers: SharedTowers,
    files: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = [encoders.add(content, "it")[1] for content in files]
    of = {fingerprint: encoders.embedder(fingerprint) for fingerprint in added}
    assert len(set(added)) == 3
    assert len(encoders.embedders) == 1  # one queue and its threads for all
    [shared] = encoders.embedders
    waiting = shared._batcher._pixels
    passes: list[int] = []
    begun, gathered = threading.Semaphore(0), threading.Event()
    run = towers.embed

    def held(pictures: Any, prompts: Any) -> Any:
        """A pass that ends when all others wait for the next one."""
        passes.append(len(pictures))
        begun.release()
        while not gathered.is_set():
            if len(waiting) == 6:
                gathered.set()
            time.sleep(0.005)
        return run(pictures, prompts)

    async def ask(fingerprint: str, seed: int) -> torch.Tensor:
        embedder = of[fingerprint]
        assert embedder is not None
        return (await embedder.query([_image(seed)], fingerprint, _done)).frozen

    async def together() -> list[torch.Tensor]:
        # As many as may run at once are held, so that the others gather.
        first = [asyncio.create_task(ask(added[0], 90 + i)) for i in range(towers.passes)]
        for _ in first:
            await asyncio.to_thread(begun.acquire)
        rest = await asyncio.gather(*(ask(added[i % 3], i) for i in range(6)))
        await asyncio.gather(*first)
        return list(rest)

    monkeypatch.setattr(towers, "embed", held)
    found = asyncio.run(together())
    monkeypatch.undo()
    assert passes == [1] * towers.passes + [6]
    alone = [known(encoders, added[i % 3]) for i in range(6)]
    for seed, (row, encoder) in enumerate(zip(found, alone, strict=True)):
        embedder = of[encoder.fingerprint]
        assert embedder is not None
        pixels = encoder.preprocess(embedder._decode(_image(seed), picture(seed)).pixels)
        torch.testing.assert_close(row, encoder.encode_images(pixels.unsqueeze(0)).frozen)


def test_class_names_go_through_the_tower_of_their_prompts(
    encoders: PromptedEncoders, towers: SharedTowers, files: list[bytes]
) -> None:
    one, other = (known(encoders, encoders.add(content, "it")[1]) for content in files[:2])
    texts = TextEmbedder(one, 100, prompted=partial(known, encoders))

    async def embed() -> list[Any]:
        asked = [
            TextsNeeded(("a drawing of {}",), ("owl", "SeaLake"), encoder.fingerprint)
            for encoder in (one, other)
        ]
        return list(await asyncio.gather(*(texts.embed(need, "a", _done) for need in asked)))

    try:
        found = asyncio.run(embed())
    finally:
        texts.close()
    for encoder, rows in zip((one, other), found, strict=True):
        expected = encoder.encode_classes(["owl", "SeaLake"])
        assert rows.prompts == encoder.fingerprint
        torch.testing.assert_close(rows.rows["owl"], expected[0])
        torch.testing.assert_close(rows.rows["SeaLake"], expected[1])
    assert not torch.allclose(found[0].rows["owl"], found[1].rows["owl"], atol=1e-3)


def test_what_cannot_embed_with_prompts_says_so(files: list[bytes]) -> None:
    def load() -> SharedTowers:
        raise AssertionError("nothing is to be loaded")

    encoders = PromptedEncoders(Settings(), MODEL, load, lambda _: ("a", files[0]), "One process.")
    with pytest.raises(InvalidPrompts) as refused:
        encoders.add(files[0], "it")
    assert refused.value.detail == "One process."
    assert not encoders.can_embed("e" * 64)


def test_prompts_that_are_damaged_in_the_database_leave_the_others(
    towers: SharedTowers, files: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    kept: dict[str, tuple[str, bytes]] = {"e" * 64: ("spoiled", files[0][:-8])}
    encoders = PromptedEncoders(Settings(), MODEL, lambda: towers, kept.get)
    assert not encoders.can_embed("e" * 64)
    assert "'spoiled' cannot answer" in caplog.text
    assert not encoders.can_embed("d" * 64)


def test_the_weights_are_in_memory_once(
    towers: SharedTowers, encoders: PromptedEncoders, files: list[bytes]
) -> None:
    encoders.add(files[0], "it")
    before = {one.data_ptr() for one in towers._model.parameters()}
    for content in files:
        encoder = known(encoders, encoders.add(content, "it")[1])
        own = {one.data_ptr() for one in encoder._model.parameters()}
        assert own <= before


def test_files_of_prompts_are_as_large_as_bodies_may_be(tmp_path: Path) -> None:
    from adapters.prompts.checkpoint import MOST_BYTES
    from service.api.middleware.request_bodies import BodyLimit

    limit = BodyLimit.of("PUT", "/v1/prompts/a", "", Settings(data_dir=tmp_path))
    assert limit.bytes == MOST_BYTES
