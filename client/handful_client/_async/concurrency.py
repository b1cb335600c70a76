"""Several requests at a time, by tasks. Written by hand, as is its counterpart of threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

pause = asyncio.sleep


async def in_thread(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Read or encode something while other tasks go on."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def each(things: Iterable[Given] | AsyncIterable[Given]) -> AsyncIterator[Given]:
    """Go over something, whether it gives its things at once or asynchronously."""
    if isinstance(things, AsyncIterable):
        async for thing in things:
            yield thing
    else:
        for thing in things:
            yield thing


async def in_order(
    function: Callable[[Given], Awaitable[Result]], given: AsyncIterable[Given], at_once: int
) -> AsyncIterator[Result]:
    """Results in the order of what was given, ``at_once`` of them on their way at most.

    What is given is asked for when there is room for it. The first failure ends all.
    """
    running: deque[asyncio.Future[Result]] = deque()
    try:
        async for one in given:
            running.append(asyncio.ensure_future(function(one)))
            if len(running) >= at_once:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
