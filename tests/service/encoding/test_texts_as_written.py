"""Texts embedded as they are written: each row its own, and nothing left of who gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from threading import Event
from typing import Any

import pytest
import torch
from torch import Tensor

from service.encoding.fair_queue import Priority
from service.encoding.text_embedder import TextEmbedder
from service.problems import Overloaded


class Tower:
    """A text tower whose rows tell the text; it can be held."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.go_on = Event()
        self.go_on.set()

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        return list(map(len, texts))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        assert self.go_on.wait(30)
        self.passes.append(list(texts))
        return torch.tensor([[float(len(text)), float(ord(text[0]))] for text in texts])


async def patient(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer])


async def impatient(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer], timeout=0.1)
    if not answer.done():
        raise TimeoutError


def with_embedder(test: Callable[[Tower, TextEmbedder], Awaitable[None]]) -> None:
    tower: Any = Tower()
    texts = TextEmbedder(tower, 100)

    async def run() -> None:
        await asyncio.wait_for(test(tower, texts), 60)

    try:
        asyncio.run(run())
    finally:
        tower.go_on.set()
        texts.close()


def test_rows_are_in_the_order_of_the_texts() -> None:
    async def test(tower: Tower, texts: TextEmbedder) -> None:
        written = ["ccc", "a", "bb", "a", "d" * 90, "e_e-E"]
        rows = await texts.embed_as_written(written, "k", patient)
        assert rows.tolist() == [[float(len(one)), float(ord(one[0]))] for one in written]
        assert sorted(one for some in tower.passes for one in some) == sorted(written)

    with_embedder(test)


def test_who_gives_up_leaves_nothing() -> None:
    async def test(tower: Tower, texts: TextEmbedder) -> None:
        tower.go_on.clear()
        for _ in range(6):  # each counts while it waits, and not any more then
            with pytest.raises(TimeoutError):
                await texts.embed_as_written(["text"] * 25, "k", impatient)
            assert texts.waiting[Priority.REGISTRATIONS] == 0
        tower.go_on.set()
        assert len(await texts.embed_as_written(["a"] * 100, "k", patient)) == 100

    with_embedder(test)


def test_too_much_is_refused() -> None:
    async def test(tower: Tower, texts: TextEmbedder) -> None:
        tower.go_on.clear()
        waiting = [
            asyncio.ensure_future(texts.embed_as_written(["text"] * 25, "k", patient))
            for _ in range(4)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(Overloaded):
            await texts.embed_as_written(["a"], "k", patient)
        other = asyncio.ensure_future(texts.embed_as_written(["a"], "other", patient))
        tower.go_on.set()
        assert [len(rows) for rows in await asyncio.gather(*waiting, other)] == [25] * 4 + [1]
        assert texts.waiting[Priority.REGISTRATIONS] == 0

    with_embedder(test)
