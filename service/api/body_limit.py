"""Refuses request bodies over a size, before they fill memory or disk."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import RequestTooLarge


class BodyLimit:
    """ASGI middleware that counts the bytes of each body as they come.

    A declared length over the limit is refused at once; a body without a declared length is
    refused as soon as it passes the limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            problem = self._too_large()
            response = JSONResponse(
                problem.marshal(), problem.status, media_type="application/problem+json"
            )
            await response(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._too_large()
            return message

        await self.app(scope, counted, send)

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The request body has more than {self.max_bytes} bytes, the most that are accepted. "
            "Send several smaller requests."
        )
