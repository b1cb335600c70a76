"""What all tools have: the service that they ask, and what becomes of its refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from handful_client import AsyncClassifier, AsyncClient, HandfulError
from mcp.server.mcpserver.exceptions import ToolError

from service.mcp_tools.arguments import Call
from service.mcp_tools.local_images import LocalImages

Asking = Callable[[Call], AbstractAsyncContextManager[AsyncClient]]
"""Opens the client for a call: with its caller's key."""

# Characters of a refusal, which may name many files.
_TOLD = 2000


@dataclass(frozen=True, slots=True)
class Tools:
    """Some of the tools.

    Attributes:
        asking: Opens the client for a call.
        local: Images on the disk that may be named; None: none.
    """

    asking: Asking
    local: LocalImages | None = None

    @asynccontextmanager
    async def client(self, call: Call) -> AsyncIterator[AsyncClient]:
        """The client for a call.

        Raises:
            ToolError: The service refuses, or does not answer: what it says, for the agent.
        """
        try:
            async with self.asking(call) as client:
                yield client
        except HandfulError as error:
            raise ToolError(str(error)[:_TOLD]) from error

    @asynccontextmanager
    async def classifier(self, call: Call, name: str) -> AsyncIterator[AsyncClassifier]:
        """As ``client``, for one classifier."""
        async with self.client(call) as client:
            yield client.classifier(name)
