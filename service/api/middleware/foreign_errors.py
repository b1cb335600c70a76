"""Errors of integrations: problem documents, told as the other system reads errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.integration import Integrations

_PROBLEM = "application/problem+json"


class ForeignErrors:
    """ASGI application around all others that loads integrations, and rewrites their errors.

    Args:
        app: What answers.
        integrations: Whose paths those are.
    """

    def __init__(self, app: ASGIApp, integrations: Integrations) -> None:
        self.app = app
        self._integrations = integrations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, of an integration when it is there."""
        if scope["type"] == "http" and (one := self._integrations.at(scope["path"])) is not None:
            app: FastAPI = scope["app"]
            contract = await self._integrations.loaded(one, app)
            if app.state.parts is not None:  # it can answer, and what runs beside it is to, too
                await self._integrations.entered.wait()
            send = _Rewritten(send, contract.errors)
        await self.app(scope, receive, send)


class _Rewritten:
    """``send``, which holds the head of a problem document back until its body is there.

    Problem documents are sent as one piece; what may come behind it is empty.
    """

    def __init__(
        self, send: Send, errors: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    ) -> None:
        self._send = send
        self._errors = errors
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
            return
        if self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            if body := message.get("body", b""):  # there is none to a HEAD
                body = json.dumps(self._errors(json.loads(body)), ensure_ascii=False).encode()
                message = {**message, "body": body}
                headers = MutableHeaders(raw=list(start["headers"]))
                headers["content-length"] = str(len(body))
                start = {**start, "headers": headers.raw}
            await self._send(start)
        await self._send(message)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == _PROBLEM
