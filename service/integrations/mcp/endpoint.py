"""The endpoint of the protocol: bodies within bounds, one message each, without sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.api.json_route import MOST_MARKS, count_marks
from service.problems import NotReady, RequestTooLarge
from service.settings import Settings

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

# Of a message, which is read by the event loop in one piece, while nobody else is answered.
_MOST_BYTES = 16 * 2**20
# Of a message up to which its values are counted on the event loop, in a millisecond.
_QUICK = 2**20
# What the service asks itself meanwhile is in memory too, beside the message that asks for it.
_SHARE_IN_FLIGHT = 4


class Endpoint:
    """ASGI application that answers messages of the protocol.

    Each request stands for itself, whatever revision of the protocol it is of, so that any process
    and any replica answers it. The SDK takes long to import, and is by the first message.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = min(
            _MOST_BYTES,
            settings.max_request_bytes,
            settings.max_bytes_in_flight // _SHARE_IN_FLIGHT,
        )
        self._tasks: TaskGroup | None = None
        self._manager: StreamableHTTPSessionManager | None = None
        self._beginning = anyio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which it answers."""
        async with anyio.create_task_group() as self._tasks:
            try:
                yield
            finally:
                self._tasks.cancel_scope.cancel()
                self._tasks = self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message.

        Raises:
            NotReady: The application has not begun, or ends.
            RequestTooLarge: The message is.
        """
        body = await self._body(Request(scope, receive))
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        manager = await self._begun()
        await manager.handle_request(scope, again, send)

    async def _begun(self) -> StreamableHTTPSessionManager:
        async with self._beginning:
            if self._tasks is None:
                raise NotReady("The service is starting or ending. Try again in a few seconds.")
            if self._manager is None:
                self._manager = await self._tasks.start(self._serve)
            return self._manager

    async def _serve(self, *, task_status: TaskStatus[StreamableHTTPSessionManager]) -> None:
        manager = await anyio.to_thread.run_sync(_session_manager, self._most)
        async with manager.run():
            task_status.started(manager)
            await anyio.sleep_forever()

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._most:
                raise RequestTooLarge(
                    f"The message has more than {self._most} bytes. Send fewer images at once, or"
                    " smaller ones; or use the API itself."
                )
        if len(body) <= _QUICK:
            marks = count_marks(body)
        else:
            marks = await anyio.to_thread.run_sync(count_marks, body)
        if marks > MOST_MARKS:  # which would take the SDK long
            raise RequestTooLarge(
                f"The message has {marks} commas, colons and brackets; at most {MOST_MARKS} are"
                " accepted. Send fewer values at once; or use the API itself."
            )
        return bytes(body)


def _session_manager(most_bytes: int) -> StreamableHTTPSessionManager:
    from service.integrations.mcp.session_manager import session_manager

    return session_manager(most_bytes)
