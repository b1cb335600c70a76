"""The endpoint of the protocol: bodies within bounds, one message each, without sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.integrations.mcp.own_application import asking_itself
from service.mcp_tools.server import mcp_server
from service.problems import NotReady, RequestTooLarge
from service.settings import Settings

# Of a message, which is read by the event loop in one piece, while nobody else is answered.
_MOST_BYTES = 16 * 2**20
# What the service asks itself meanwhile is in memory too, beside the message that asks for it.
_SHARE_IN_FLIGHT = 4


class Endpoint:
    """ASGI application that answers messages of the protocol.

    Each request stands for itself, whatever revision of the protocol it is of, so that any process
    and any replica answers it. ``Host`` and ``Origin`` are checked before it, as of all requests.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = min(
            _MOST_BYTES,
            settings.max_request_bytes,
            settings.max_bytes_in_flight // _SHARE_IN_FLIGHT,
        )
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which it answers."""
        server = mcp_server(asking_itself)
        server.streamable_http_app(  # which is not mounted: its session manager is asked itself
            json_response=True,
            stateless_http=True,
            max_request_body_size=self._most,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with server.session_manager.run():
            self._manager = server.session_manager
            try:
                yield
            finally:
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message.

        Raises:
            NotReady: The application has not begun, or ends.
            RequestTooLarge: The message is.
        """
        if self._manager is None:
            raise NotReady("The service is starting or ending. Try again in a few seconds.")
        body = await self._body(Request(scope, receive))
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._manager.handle_request(scope, again, send)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._most:
                raise RequestTooLarge(
                    f"The message has more than {self._most} bytes. Send fewer images at once, or"
                    " smaller ones; or use the API itself."
                )
        return bytes(body)
