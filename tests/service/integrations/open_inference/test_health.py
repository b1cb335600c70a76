"""Health over gRPC: strangers may watch it, and keep nobody from it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from grpc_health.v1 import health_pb2

from service.api.middleware.bytes_in_flight import BytesInFlight
from service.integrations.open_inference.rpc.server import serving
from service.settings import Settings
from tests.service.integrations.open_inference.conftest import free_port

pytestmark = pytest.mark.anyio
METHOD = "/grpc.health.v1.Health/"
PORT = free_port()
# Of these calls two may watch.
SETTINGS = Settings(
    integrations="open-inference",
    grpc_port=PORT,
    host="127.0.0.1",
    max_connections=32,
    keep_alive_seconds=1,
    shutdown_seconds=2,
)
PING = 6


@pytest.fixture
def anyio_backend() -> str:
    """Tests that are coroutines run in this loop."""
    return "asyncio"


@asynccontextmanager
async def channel(backbone: SimpleNamespace) -> AsyncIterator[grpc.aio.Channel]:
    """To a service that is as well as its backbone."""
    app = FastAPI()
    app.state.parts, app.state.access = SimpleNamespace(backbone=backbone), None
    app.state.in_flight = BytesInFlight(2**20)
    async with serving(app, SETTINGS, PORT), grpc.aio.insecure_channel(f"127.0.0.1:{PORT}") as one:
        yield one


def watch(there: grpc.aio.Channel) -> grpc.aio.StreamStreamCall[Any, Any]:
    return there.stream_stream(METHOD + "Watch")(timeout=10)


async def told(answer: Any) -> bool:
    """Whether the server is well, as somebody was told."""
    read = health_pb2.HealthCheckResponse.FromString(await answer)
    return bool(read.status == health_pb2.HealthCheckResponse.SERVING)


async def reads_nothing() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Somebody who watches by HTTP/2 whose window has no room for an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    fields = {
        b":method": b"POST",
        b":scheme": b"http",
        b":authority": b"a",
        b":path": METHOD.encode() + b"Watch",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
    }
    head = b"".join(
        b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in fields.items()
    )
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for kind, flags, stream, content in (
        (4, 0, 0, struct.pack(">HI", 4, 0)),  # settings: no window
        (4, 1, 0, b""),  # those of the server are known
        (1, 4, 1, head),
    ):
        size = struct.pack(">I", len(content))[1:]
        writer.write(size + struct.pack(">BBI", kind, flags, stream) + content)
    return reader, writer


async def test_no_more_watch_than_may_and_whoever_stops_makes_room() -> None:
    async with channel(SimpleNamespace(available=True)) as there:
        first, second = watch(there), watch(there)
        assert await told(first.read()) is await told(second.read()) is True
        third = watch(there)
        assert await third.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await told(there.stream_unary(METHOD + "Check")(timeout=5))
        first.cancel()
        await asyncio.sleep(0.2)
        assert await told(watch(there).read())
        # And whoever is cut off: its connection ends, with all calls.
        second.cancel()
        _, writer = await reads_nothing()
        await asyncio.sleep(0.2)
        assert await watch(there).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        writer.transport.abort()
        await asyncio.sleep(0.2)
        assert await told(watch(there).read())


async def test_who_reads_nothing_keeps_nobody_waiting_and_is_asked_whether_it_is_there() -> None:
    backbone = SimpleNamespace(available=False)
    async with asyncio.timeout(20):
        async with channel(backbone) as there:
            reader, writer = await reads_nothing()
            other = watch(there)
            assert not await told(other.read())
            backbone.available = True
            assert await told(other.read())
            assert await told(there.stream_unary(METHOD + "Check")(timeout=5))
            kinds = []
            while PING not in kinds:
                head = await reader.readexactly(9)
                kinds.append(head[3])
                await reader.readexactly(int.from_bytes(head[:3], "big"))
            assert 0 not in kinds  # nothing of the answer was sent
        writer.close()
