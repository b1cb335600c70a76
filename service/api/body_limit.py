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
            await self._refusal()(scope, receive, send)
            return
        received = 0
        started = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._too_large()
            return message

        async def unless_too_large(message: Message) -> None:
            # Whatever reads the body may make another error of ours.
            nonlocal started
            if received <= self.max_bytes or started:
                started = True
                await send(message)

        await self.app(scope, counted, unless_too_large)
        if received > self.max_bytes and not started:
            await self._refusal()(scope, receive, send)

    def _refusal(self) -> JSONResponse:
        problem = self._too_large()
        return JSONResponse(
            problem.marshal(), problem.status, media_type="application/problem+json"
        )

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The request body has more than {self.max_bytes} bytes, the most that are accepted. "
            "Send several smaller requests."
        )
