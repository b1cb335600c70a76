"""A service with keys that agents ask, and the SDK's own client to ask it with."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from tests.service.pictures import picture
from tests.service.server import HANDFUL, Server, run_handful


@dataclass(frozen=True)
class Agent:
    """The SDK's client, connected."""

    client: Client

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """What a tool answers: the same as data and as text."""
        result = await self.result(tool, **arguments)
        assert not result.is_error, result.content
        told = result.structured_content
        assert isinstance(told, dict)
        [text] = [one for one in result.content if isinstance(one, TextContent)]
        said = json.loads(text.text)
        assert said == _without_null(told)
        return told

    async def result(self, tool: str, **arguments: object) -> CallToolResult:
        return await self.client.call_tool(tool, dict(arguments))

    async def refused(self, tool: str, **arguments: object) -> str:
        """What a tool says that cannot do it."""
        result = await self.result(tool, **arguments)
        assert result.is_error
        [text] = result.content
        assert isinstance(text, TextContent)
        return text.text


@dataclass(frozen=True)
class Service:
    """The running service, its operator's key, and a folder of pictures.

    Attributes:
        pictures: LABEL/N.png.
    """

    server: Server
    operator: str
    pictures: Path
    _keys: dict[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.server.url}/mcp"

    def http(self, key: str | None = None) -> httpx.Client:
        client = self.server.client()
        if key is not None:
            client.headers["authorization"] = f"Bearer {key}"
        return client

    def key(self, **terms: object) -> str:
        with self.http(self.operator) as http:
            answer = http.post("/v1/keys", json=terms)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])

    @asynccontextmanager
    async def over_http(self, key: str | None = None, mode: str = "auto") -> AsyncIterator[Agent]:
        headers = {"authorization": f"Bearer {key or self.operator}"}
        async with (
            httpx.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(self.endpoint, http_client=http), mode=mode) as client,
        ):
            yield Agent(client)

    @asynccontextmanager
    async def over_stdio(
        self, key: str | None = None, *options: str, mode: str = "auto"
    ) -> AsyncIterator[Agent]:
        command = StdioServerParameters(
            command=str(HANDFUL),
            args=["mcp", *options],
            env={
                **{name: one for name, one in os.environ.items() if not name.startswith("HANDFUL")},
                "HANDFUL_URL": self.server.url,
                "HANDFUL_KEY": key or self.operator,
            },
        )
        async with Client(command, mode=mode) as client:
            yield Agent(client)


def _without_null(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _without_null(one) for name, one in told.items() if one is not None}
    return [_without_null(one) for one in told] if isinstance(told, list) else told


Connecting = Callable[[Service], AbstractAsyncContextManager[Agent]]
WAYS: dict[str, Connecting] = {
    "stdio": lambda service: service.over_stdio(),
    "HTTP": lambda service: service.over_http(),
    "HTTP, by the handshake of before": lambda service: service.over_http(mode="legacy"),
}


@pytest.fixture
def anyio_backend() -> str:
    """Tests that are coroutines run in this loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Service]:
    data_dir = tmp_path_factory.mktemp("mcp")
    pictures = tmp_path_factory.mktemp("pictures")
    for i, label in enumerate(("ant", "bee")):
        (pictures / label).mkdir()
        for k in range(4):
            (pictures / label / f"{k}.png").write_bytes(picture(1000 + 10 * i + k))
    made = run_handful(
        *("keys", "create", "--scopes", "admin,read,predict,write", "--data-dir", str(data_dir))
    )
    assert made.returncode == 0, made.stderr
    operator = made.stdout.strip()
    with Server.ready(data_dir, backbone=vit, auth="keys", integrations="mcp") as running:
        yield Service(running, operator, pictures)
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log
    assert operator not in log
