"""The tools over standard input and output, for the agent that has started this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from handful_client import AsyncClient

from service.mcp_tools.arguments import Call
from service.mcp_tools.local_images import LocalImages
from service.mcp_tools.server import mcp_server

# Seconds that an answer may take, and within which a call is tried again that was refused for now.
_ANSWER, _PATIENCE = 600.0, 20.0


def serve_stdio(url: str, key: str | None, local: LocalImages | None) -> None:
    """Serve until the agent closes the input. The service may start later than this.

    Args:
        url: Of the service.
        key: For it, if it asks for one.
        local: Images on the disk that may be named; None: none.

    Raises:
        ValueError: The URL or the key cannot be one.
    """
    client = AsyncClient(url, key=key, timeout=_ANSWER, patience=_PATIENCE)

    @asynccontextmanager
    async def asking(_: Call) -> AsyncIterator[AsyncClient]:
        yield client

    async def serve() -> None:
        async with client:
            await mcp_server(asking, local).run_stdio_async()

    anyio.run(serve)
