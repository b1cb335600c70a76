"""Whoever stops waiting leaves no error behind that asyncio would log."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from service.encoding.pending_answers import is_given


@pytest.mark.parametrize("looks", [True, False])
def test_an_error_that_comes_as_its_request_ends_is_not_logged(looks: bool) -> None:
    logged: list[dict[str, Any]] = []

    async def asked(answer: asyncio.Future[None]) -> None:
        try:
            await asyncio.wait([answer])
        finally:
            assert not looks or is_given(answer)

    async def both_at_once() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: logged.append(context))
        answer: asyncio.Future[None] = loop.create_future()
        task = asyncio.create_task(asked(answer))
        await asyncio.sleep(0)
        answer.set_exception(ValueError("damaged"))
        task.cancel()  # before the task has heard of it
        with pytest.raises(asyncio.CancelledError):
            await task
        del answer, task
        gc.collect()

    asyncio.run(both_at_once())
    assert bool(logged) is not looks


def test_what_is_not_there_or_was_withdrawn_is_told_apart() -> None:
    async def told() -> tuple[bool, bool]:
        waiting, withdrawn = (asyncio.get_running_loop().create_future() for _ in range(2))
        withdrawn.cancel()
        return is_given(waiting), is_given(withdrawn)

    assert asyncio.run(told()) == (False, True)
