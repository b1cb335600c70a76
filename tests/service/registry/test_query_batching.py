"""Queries that come together are answered together, each with its own answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from adapters.embeddings import ImageEmbeddings
from service.problems import NoClasses
from service.registry.query_batching import Answering


class Echo:
    """Stands for a classifier: answers a query with its number, and counts the calls."""

    block = 100
    classes = ("ant",)

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Any]:
        self.calls.append(len(queries))
        return [(float(number), top_k, evidence) for number in queries.frozen[:, 0]]


class Empty:
    block = 100
    classes = ()

    def predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Any]:
        raise NoClasses("nothing to choose from")


def numbers(*values: float) -> ImageEmbeddings:
    rows = torch.tensor(values).unsqueeze(1)
    return ImageEmbeddings(rows, rows)


def test_queries_of_one_turn_share_a_computation() -> None:
    echo, other, answering = Echo(), Echo(), Answering()

    async def run() -> list[Any]:
        return await asyncio.gather(
            answering.predict(echo, numbers(1, 2), 5, 3),  # type: ignore[arg-type]
            answering.predict(echo, numbers(3), 5, 3),  # type: ignore[arg-type]
            answering.predict(other, numbers(4), 5, 3),  # type: ignore[arg-type]
            answering.predict(echo, numbers(5), 1, 0),  # type: ignore[arg-type]
        )

    answers = asyncio.run(run())
    answering.close()
    assert answers == [[(1, 5, 3), (2, 5, 3)], [(3, 5, 3)], [(4, 5, 3)], [(5, 1, 0)]]
    assert sorted(echo.calls) == [1, 3]
    assert other.calls == [1]


def test_an_error_reaches_everyone_who_asked_and_nobody_else() -> None:
    echo, empty, answering = Echo(), Empty(), Answering()

    async def run() -> list[Any]:
        return await asyncio.gather(
            answering.predict(empty, numbers(1), 5, 3),  # type: ignore[arg-type]
            answering.predict(empty, numbers(2), 5, 3),  # type: ignore[arg-type]
            answering.predict(echo, numbers(3), 5, 3),  # type: ignore[arg-type]
            return_exceptions=True,
        )

    first, second, third = asyncio.run(run())
    answering.close()
    assert isinstance(first, NoClasses)
    assert isinstance(second, NoClasses)
    assert third == [(3, 5, 3)]


def test_who_has_gone_does_not_take_the_others_answers() -> None:
    echo, answering = Echo(), Answering()

    async def run() -> list[Any]:
        tasks = [
            asyncio.create_task(answering.predict(echo, numbers(i), 5, 3))  # type: ignore[arg-type]
            for i in range(3)
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    gone, second, third = asyncio.run(run())
    answering.close()
    assert isinstance(gone, asyncio.CancelledError)
    assert (second, third) == ([(1, 5, 3)], [(2, 5, 3)])


def test_what_begins_later_is_computed_later() -> None:
    echo, answering = Echo(), Answering()

    async def run() -> None:
        for i in range(3):
            assert await answering.predict(echo, numbers(i), 5, 3) == [(i, 5, 3)]  # type: ignore[arg-type]

    asyncio.run(run())
    answering.close()
    assert echo.calls == [1, 1, 1]


@pytest.mark.parametrize("n", [0, 1, 7])
def test_any_number_of_queries_in_a_request(n: int) -> None:
    echo, answering = Echo(), Answering()
    found = asyncio.run(answering.predict(echo, numbers(*range(n)), 2, 1))  # type: ignore[arg-type]
    answering.close()
    assert found == [(i, 2, 1) for i in range(n)]
