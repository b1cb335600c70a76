"""HEAD and OPTIONS for every path (RFC 9110, sections 9.3.2 and 9.3.7)."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.allowed_methods import allowed_methods
from service.api.exception_handlers import no_such_path
from service.api.problem_documents import problem_answer

HEAD = "handful.head"
"""Key of a scope whose request has asked for the header fields alone: no stream need be made."""


class HeadAndOptions:
    """ASGI middleware: HEAD is GET without the content; OPTIONS answers 204 with ``Allow``.

    A CORS preflight is an OPTIONS request as well; whoever answers those comes before this.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        method = scope.get("method") if scope["type"] == "http" else None
        if method == "OPTIONS":
            await _options(scope)(scope, receive, send)
        elif method == "HEAD":

            async def without_content(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": b""}
                await send(message)

            as_get = {**scope, "method": "GET", HEAD: True}
            await self.app(as_get, receive, without_content)
        else:
            await self.app(scope, receive, send)


def _options(scope: Scope) -> Response:
    if scope["path"] == "*":  # a client that asks whether somebody is there
        return Response(status_code=204)
    if allowed := allowed_methods(scope):
        return Response(status_code=204, headers={"allow": ", ".join(allowed)})
    return problem_answer(no_such_path(scope["path"]))
