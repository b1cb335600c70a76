"""Blocking calls in worker threads, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import anyio.to_thread
from fastapi import Request

from service.api.deadlines import deadline_or_disconnect
from service.api.limiters import Limiters
from service.composition import ServiceParts
from service.problems import ChangedMeanwhile
from service.registry.class_texts import ClassTexts, TextsNeeded

P = ParamSpec("P")
T = TypeVar("T")

# Each failure is somebody else's change of what class names are to be embedded.
_ATTEMPTS = 10


async def run_blocking(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread."""
    return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs))


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
) -> T:
    """As :func:`run_change`, for a call that takes text embeddings of class names last.

    Optimistic concurrency: names are embedded here, while nothing is locked and no writer's
    thread is taken, until the call finds all that it needs.

    Raises:
        Overloaded: Too many texts wait already.
        ChangedMeanwhile: Whenever they were there, the call needed others.
    """
    texts = ClassTexts()
    for _ in range(_ATTEMPTS):
        try:
            return await run_change(request, call, name, *args, texts)
        except TextsNeeded as needed:
            more = await parts.texts.embed(needed, name, deadline_or_disconnect(request))
            texts = texts.with_more(more)
    raise ChangedMeanwhile(
        f"Others changed the classes or the templates of the classifier {_ATTEMPTS} times while"
        " class names were embedded for this change; nothing of it was done. Send it again.",
        headers={"retry-after": "5"},
    )
