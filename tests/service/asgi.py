"""Requests straight to the application, whose clients hang up when they are told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI


@dataclass
class Client:
    """One request under way.

    Attributes:
        status: Of the answer; 0 while there is none.
    """

    app: FastAPI
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> asyncio.Task[None]:
        """Begin the request, whose path may have a query; the task ends with it."""
        path, _, query = path.partition("?")
        self._unread: bytes | None = body
        self._gone = asyncio.Event()
        sent = {"content-type": "image/png", "content-length": str(len(body))} | (headers or {})
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
            "server": ("test", 80),
            "client": ("test", 1),
        }
        return asyncio.create_task(self.app(scope, self._receive, self._take))  # type: ignore[arg-type]

    def hang_up(self) -> None:
        self._gone.set()

    def json(self) -> Any:
        return json.loads(self.body)

    async def _receive(self) -> dict[str, Any]:
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.body += message.get("body", b"")


Test = Callable[[Path, str], Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[[Path, str], None]:
    """A test that is a coroutine, with a loop of its own and an end."""

    def run(tmp_path: Path, vit: str) -> None:
        asyncio.run(asyncio.wait_for(test(tmp_path, vit), 120))

    run.__name__ = test.__name__
    return run
