"""Access log: a line for each request, once it is answered (HANDFUL_ACCESS_LOG)."""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.request_metrics import ROUTE

logger = logging.getLogger("handful.access")


class AccessLog:
    """ASGI application around all others, which writes down what they have answered.

    Header fields and query parameters are left out; paths hold names of classifiers and classes.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status, size = perf_counter(), 0, 0

        async def watched(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            seconds = perf_counter() - begun
            client = scope.get("client")
            fields = {
                "http.request.method": scope["method"],
                "url.path": scope["path"],
                "http.route": scope.get(ROUTE, ""),
                "http.response.status_code": status,
                "http.response.body.size": size,
                "duration": round(seconds, 6),
                "client.address": client[0] if client else "",
            }
            # As literals: a path may hold line feeds and what terminals obey.
            logger.info(
                "%s %r %d, %d bytes in %.1f ms",
                scope["method"],
                scope["path"],
                status,
                size,
                1000 * seconds,
                extra={"fields": fields},
            )
