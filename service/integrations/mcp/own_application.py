"""The client of the application that a call has come to, in its own process and for its caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httpx2
from handful_client import AsyncClient
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.access.principal import PEER_KEY
from service.mcp_tools.arguments import Call

# Whatever says who asks (service/authentication/credentials.py), and what spans belong to.
_CARRIED = (
    b"authorization",
    b"x-api-key",
    b"x-forwarded-user",
    b"x-forwarded-tenant",
    b"x-forwarded-scopes",
    b"traceparent",
)
# Always known as a host of the service.
_URL = "http://localhost"


@asynccontextmanager
async def asking_itself(call: Call) -> AsyncIterator[AsyncClient]:
    """The client for a call over HTTP; it is refused whatever its caller would be.

    Nothing is tried again: whoever waits holds a message in memory.
    """
    request = cast(Request, call.request_context.request)
    # Whatever bytes they are: what is refused about them is for the application to say.
    carried = [(name, value) for name, value in request.headers.raw if name in _CARRIED]
    transport = httpx2.ASGITransport(
        _ForCaller(request), raise_app_exceptions=False, client=_client(request)
    )
    async with httpx2.AsyncClient(transport=transport, headers=carried, trust_env=False) as http:
        yield AsyncClient(_URL, patience=0, http=http)


class _ForCaller:
    """The application, to which a request comes from the caller's address, until they hang up."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = False

        async def heard() -> Message:
            nonlocal whole
            message = await (self._request.receive() if whole else receive())
            whole = whole or not message.get("more_body", False)
            return message

        peer = self._request.scope.get(PEER_KEY)
        await self._request.app({**scope, PEER_KEY: peer}, heard, send)


def _client(request: Request) -> tuple[str, int]:
    return (request.client.host, request.client.port) if request.client else ("127.0.0.1", 0)
