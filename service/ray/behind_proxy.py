"""ASGI middleware: what the service's own connections do, where Ray's proxies have the clients."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from fastapi_problem.error import StatusProblem
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problem_documents import problem_answer
from service.serving.connections import ConnectionLimits
from service.serving.http_connection import MAX_FIELDS
from service.serving.refusals import head_too_large, not_one_host, slow_body, too_many_fields
from service.serving.server_config import headers_of_answers
from service.settings import Settings


class BehindProxy:
    """Gives requests and answers what they would have from ``service/serving/http_connection.py``.

    Requests: the state of the application's lifespan, refusals of heads that are too large or do
    not name one host, and an end to bodies that stand still or are too slow. Answers: the header
    fields of all of them. The address of a connection's other end is not among it: the proxy may
    have taken that from what the client wrote, so no reverse proxy is believed who its users are.

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
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        scope["state"] = self._state.copy()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        if (refusal := self._refusal(scope)) is not None:
            await problem_answer(refusal)(scope, receive, send_with_headers)
            return
        await self.app(scope, _Body(receive, self._limits).receive, send_with_headers)

    def _refusal(self, scope: Scope) -> StatusProblem | None:
        fields: list[tuple[bytes, bytes]] = scope["headers"]
        if len(fields) > MAX_FIELDS:
            return too_many_fields(len(fields), MAX_FIELDS)
        head = len(scope["raw_path"]) + len(scope["query_string"])
        if head + sum(len(name) + len(value) for name, value in fields) > self._limits.head_bytes:
            return head_too_large(self._limits)
        hosts = sum(name == b"host" for name, _ in fields)
        if hosts > 1 or (not hosts and scope["http_version"] == "1.1"):
            return not_one_host(hosts)
        return None


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
