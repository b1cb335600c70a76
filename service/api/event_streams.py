"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) of a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import anyio
from fastapi import Request
from fastapi_problem.error import StatusProblem
from pydantic import BaseModel

from service.api.ending import ENDING
from service.storage.jobs import JobRecord

MEDIA_TYPE = "text/event-stream"
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An event: its fields.",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"type": "string", "enum": ["progress", "end"]},
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
        "data": {"type": "string", "description": "The job, as JSON."},
    },
}

# Seconds between two looks at a job, and of silence after which a comment is sent: proxies and
# clients take longer ones for a connection that is lost.
_LOOK, _HEARTBEAT = 0.5, 10.0
# Milliseconds after which a client comes again whose connection was lost.
_AGAIN = 2000


def last_event(request: Request) -> int | None:
    """The version of the job that the client has seen already, as ``Last-Event-ID`` says."""
    sent = request.headers.get("last-event-id", "")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 16 else None


async def job_events(
    request: Request,
    look: Callable[[], Awaitable[JobRecord | None]],
    shown: Callable[[JobRecord], BaseModel],
    limiter: anyio.CapacityLimiter,
) -> AsyncIterator[bytes]:
    """Events of a job, each with the whole job as it is: ``progress``, in the end ``end``.

    The stream ends with the job, when the job is removed or the key or session ends, and when the
    process is told to end; then the client comes again, and is told by another process what it has
    missed.

    Args:
        request: Whose client is told.
        look: Reads the job; None once it is gone, or the client may not know of it any more.
        shown: The JSON of it.
        limiter: Of streams, which are counted there.
    """
    ending: asyncio.Event | None = request.scope.get("state", {}).get(ENDING)
    seen, said = last_event(request), monotonic()
    async with limiter:
        yield b"retry: %d\n\n" % _AGAIN
        while ending is None or not ending.is_set():
            with suppress(StatusProblem):  # of the database, which may pass
                if (job := await look()) is None:
                    return
                if job.version != seen:
                    seen, said = job.version, monotonic()
                    yield _event("end" if job.ended else "progress", job.version, shown(job))
                if job.ended:
                    return
            if monotonic() - said >= _HEARTBEAT:
                said = monotonic()
                yield b": it goes on\n\n"
            await _pause(ending)


async def _pause(ending: asyncio.Event | None) -> None:
    if ending is None:
        await asyncio.sleep(_LOOK)
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(ending.wait(), _LOOK)


def _event(kind: str, version: int, job: BaseModel) -> bytes:
    return f"event: {kind}\nid: {version}\ndata: {job.model_dump_json()}\n\n".encode()
