"""The Model Context Protocol over streamable HTTP: the service's tools for agents.

https://modelcontextprotocol.io/specification; the protocol is the SDK's, the tools are those of
:mod:`service.mcp_tools`, which ask this very application, in this process, with the caller's key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.routing import Route

from service.access.principal import Scope
from service.access.required_access import RequiredAccess
from service.api.integration import Contract
from service.integrations.mcp.endpoint import Endpoint
from service.settings import Settings

_PATH = "/mcp"


def contract(settings: Settings) -> Contract:
    """The contract; a server for the lifetime of its application."""
    endpoint = Endpoint(settings)
    # One request, one answer: there is neither a stream of the server's own (GET) nor a session
    # that could be ended (DELETE).
    router = APIRouter(routes=[Route(_PATH, endpoint, methods=["POST"])])

    @asynccontextmanager
    async def beside(_: FastAPI) -> AsyncIterator[None]:
        async with endpoint.running():
            yield

    return Contract(
        router=router,
        required_access=_required_access,
        beside=beside,
    )


def _required_access(method: str, path: str) -> RequiredAccess:
    """A key that may at least look; what tools do is asked for, and counted as well, by itself."""
    return RequiredAccess(Scope.READ)
