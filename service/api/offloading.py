"""Blocking calls in worker threads, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio.to_thread
from fastapi import Request

from service.api.deadlines import deadline_or_disconnect
from service.api.limiters import Limiters
from service.composition import ServiceParts
from service.encoding.recipes import RecipeGone
from service.problems import ChangedMeanwhile
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.live import LiveClassifier

P = ParamSpec("P")
T = TypeVar("T")

# Each failure is somebody else's change of what class names are to be embedded.
_ATTEMPTS = 10


async def run_blocking(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread."""
    return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs))


async def live_classifier(parts: ServiceParts, name: str) -> LiveClassifier:
    """The latest state of a classifier; a thread is taken only where it is not in memory.

    Raises:
        ClassifierNotFound: There is none of that name.
    """
    found = parts.registry.in_memory(name)
    return found if found is not None else await run_blocking(parts.registry.live, name)


async def run_change(
    request: Request,
    call: Callable[Concatenate[str, P], T],
    name: str,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a blocking call that changes the classifier ``name`` in a writer's thread.

    Changes of one classifier wait for each other here, so that they take one thread between
    them and leave the others to other classifiers.
    """
    limiters = Limiters.of(request)
    async with limiters.writer_queues.of(name):
        return await anyio.to_thread.run_sync(
            lambda: call(name, *args, **kwargs), limiter=limiters.writers
        )


async def run_change_with_texts(
    request: Request,
    parts: ServiceParts,
    call: Callable[..., T],
    name: str,
    *args: object,
    texts: ClassTexts = ClassTexts(),  # noqa: B008 - a value that never changes
) -> T:
    """As :func:`run_change`, for a call that takes text embeddings of class names last.

    Optimistic concurrency: names are embedded here, while nothing is locked and no writer's
    thread is taken, until the call finds all that it needs; ``texts`` are there already.

    Raises:
        Overloaded: Too many texts wait already.
        ChangedMeanwhile: Whenever they were there, the call needed others.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await run_change(request, call, name, *args, texts)
        except TextsNeeded as needed:
            with suppress(RecipeGone):  # the call says which names of which prompts it needs now
                more = await parts.texts.embed(needed, name, deadline_or_disconnect(request))
                texts = texts.with_more(more)
    raise ChangedMeanwhile(
        f"Others changed the classes or the templates of the classifier {_ATTEMPTS} times while"
        " class names were embedded for this change; nothing of it was done. Send it again.",
        headers={"retry-after": "5"},
    )


@asynccontextmanager
async def texts_ahead(
    request: Request, parts: ServiceParts, name: str, needed: TextsNeeded | None
) -> AsyncIterator[Callable[[], Awaitable[ClassTexts]]]:
    """Embed class names beside what a change does before it; not any more once the block ends.

    Args:
        request: Whose client waits.
        parts: Of the service.
        name: The classifier's.
        needed: Which names; None: none.

    Yields:
        What waits for them; raises as :func:`run_change_with_texts`.
    """
    if needed is None:
        yield _no_texts
        return

    async def ended(answer: asyncio.Future[Any]) -> None:
        await asyncio.wait([answer])  # who hangs up is noticed by others: the block ends then

    ahead = asyncio.create_task(parts.texts.embed(needed, name, ended))

    async def embedded() -> ClassTexts:
        await deadline_or_disconnect(request)(ahead)
        try:
            return ahead.result()
        except RecipeGone:  # the change says what it needs now
            return ClassTexts()

    try:
        yield embedded
    finally:
        ahead.cancel()
        await asyncio.wait([ahead])
        if not ahead.cancelled():
            ahead.exception()  # whoever has asked for it was told


async def _no_texts() -> ClassTexts:
    return ClassTexts()
