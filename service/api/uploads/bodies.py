"""Bodies of requests: their type, and all of their bytes."""

from __future__ import annotations

import io

from starlette.requests import Request


def media_type_of(request: Request) -> str:
    """The media type of a body, in small letters and without parameters; empty where none is."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def body_of(request: Request) -> bytes:
    """The body, without a second copy of it while it is put together."""
    body = io.BytesIO()
    async for chunk in request.stream():
        body.write(chunk)
    return body.getvalue()
