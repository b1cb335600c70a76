"""Deadlines and client disconnects: an answer is waited for only as long as someone wants it."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any

from fastapi import Header
from pydantic import WithJsonSchema
from starlette.requests import ClientDisconnect, Request

from service.encoding.image_embedder import Wait
from service.problems import DeadlineExceeded
from service.settings import Settings

# Most answers are there by then, and watching the client costs a task.
_PROMPT = 0.05

RequestTimeout = Annotated[
    float | None,
    Header(
        gt=0,
        allow_inf_nan=False,
        description="Seconds that the images may wait to be embedded, counted from when the"
        " whole request is here. The service has a limit of its own; the smaller one counts.",
        examples=[0.5],
    ),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),  # a header is never null
]


def deadline_or_disconnect(request: Request, seconds: float | None = None) -> Wait:
    """A wait that ends when the client hangs up, or when its time is over.

    The body of the request must have been read, or be one that nobody reads.

    Args:
        request: Whose client is watched.
        seconds: Longest wait; None waits for as long as the client does.

    Returns:
        An asynchronous function of a future, which raises ClientDisconnect or DeadlineExceeded
        if the future is not done by then.
    """

    async def wait(answer: asyncio.Future[Any]) -> None:
        prompt = _PROMPT if seconds is None else min(_PROMPT, seconds)
        await asyncio.wait([answer], timeout=prompt)
        if answer.done():
            return
        watch = asyncio.create_task(_hung_up(request))
        try:
            await asyncio.wait(
                [answer, watch],
                timeout=None if seconds is None else seconds - prompt,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            watch.cancel()
        if answer.done():
            return
        if watch.done():
            raise ClientDisconnect
        raise DeadlineExceeded(
            f"There was no answer within {seconds:g} s, and it is not worked on any more. Send "
            "the request again when there is less to do, or allow it more time (Request-Timeout,"
            " up to HANDFUL_PREDICT_SECONDS)."
        )

    return wait


def query_deadline(request: Request, settings: Settings, seconds: float | None) -> Wait:
    """The wait of a request that asks about images: as long as these may take.

    Args:
        request: As of :func:`deadline_or_disconnect`.
        settings: Of the service, which has a limit of its own; the smaller one counts.
        seconds: That the client waits (``Request-Timeout``); None: it does not say.
    """
    return deadline_or_disconnect(request, min(settings.predict_seconds, seconds or math.inf))


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
