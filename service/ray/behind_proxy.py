"""ASGI middleware: what the service's own connections do, where Ray's proxies have the clients."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.serving.connections import ConnectionLimits
from service.serving.refusals import slow_body
from service.serving.server_config import headers_of_answers
from service.settings import Settings


class BehindProxy:
    """Gives requests and answers what they would have from ``service/serving/http_connection.py``.

    Requests: the state of the application's lifespan, and an end to bodies that stand still or
    are too slow. Answers: the header fields of all of them. The address of a connection's other
    end is not among it: the proxy may have taken that from what the client wrote, so no reverse
    proxy is believed who its users are.

    Args:
        app: The application.
        settings: Limits, and who may read answers.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._limits = ConnectionLimits.of(settings)
        self._headers = [
            (name.encode(), value.encode()) for name, value in headers_of_answers(settings)
        ]
        self._state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            self._state = scope.setdefault("state", {})
            await self.app(scope, receive, send)
            return
        scope["state"] = self._state.copy()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self.app(scope, _Body(receive, self._limits).receive, send_with_headers)


class _Body:
    """The body of a request on its way, no slower than it may be."""

    def __init__(self, receive: Receive, limits: ConnectionLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._whole = False
        self._bytes = 0
        self._begun = monotonic()

    async def receive(self) -> Message:
        """What the application receives.

        Raises:
            RequestTimeout: The body stands still, or comes too slowly.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                message = await self._receive()
        except TimeoutError:
            raise slow_body(self._limits) from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            seconds = monotonic() - self._begun - self._limits.stall_seconds
            if not self._whole and self._bytes < self._limits.rate * seconds:
                raise slow_body(self._limits)
        return message
