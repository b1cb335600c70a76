"""Places for messages: strangers take none, and nobody who is slow takes all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from fastapi import FastAPI
from grpc_health.v1 import health_pb2

from service.access.principal import Principal
from service.api.middleware.bytes_in_flight import BytesInFlight
from service.authentication.key_ring import Holder
from service.integrations.open_inference.rpc import receiving
from service.integrations.open_inference.rpc.server import serving
from service.settings import Settings
from tests.service.integrations.open_inference.conftest import free_port

pytestmark = pytest.mark.anyio
METHOD = "/inference.GRPCInferenceService/"
# Four places, of which a key has two and a tenant three.
SETTINGS = Settings(
    integrations="open-inference",
    grpc_port=free_port(),
    host="127.0.0.1",
    grpc_max_message_bytes=2**20,
    max_bytes_in_flight=4 * 2**20,
)


@pytest.fixture
def anyio_backend() -> str:
    """Tests that are coroutines run in this loop."""
    return "asyncio"


class Access:
    """Access control that believes what it is told, TENANT/KEY, and admits to everything."""

    async def holder(self, scope: dict[str, Any]) -> Holder:
        [told] = [value.decode() for name, value in scope["headers"] if name == b"x-api-key"]
        tenant, key = told.split("/")
        return Holder(Principal(tenant=tenant, key_id=key), ())

    async def admit(self, _: dict[str, Any], __: Any) -> None:
        pass


@asynccontextmanager
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """To a service that is not ready, which it says of each call whose message it has."""
    app = FastAPI()
    app.state.parts, app.state.access = None, Access()
    app.state.in_flight = BytesInFlight(SETTINGS.max_bytes_in_flight)
    port = SETTINGS.grpc_port
    assert port is not None
    async with serving(app, SETTINGS, port), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as one:
        yield one


def slow(there: grpc.aio.Channel, *keys: str) -> list[grpc.aio.StreamUnaryCall[Any, Any]]:
    """Calls whose messages do not come."""
    infer = there.stream_unary(METHOD + "ModelInfer")
    return [infer(metadata=[("x-api-key", key)]) for key in keys]


async def told(there: grpc.aio.Channel, key: str) -> dict[str, str]:
    """Trailing metadata of a call with a message, which ends at once or for want of a place."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await there.unary_unary(METHOD + "ModelReady")(
            b"\x0a\x01a", metadata=[("x-api-key", key)], timeout=10
        )
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    return {name: str(value) for name, value in caught.value.trailing_metadata()}


async def test_what_anybody_may_call_is_answered_without_a_message() -> None:
    async with channel() as there:
        for method in ("ServerLive", "ServerReady", "ServerMetadata"):
            assert await there.stream_unary(METHOD + method)(timeout=5) is not None
        answer = await there.stream_unary("/grpc.health.v1.Health/Check")(timeout=5)
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        assert health_pb2.HealthCheckResponse.FromString(answer).status == not_serving
        watching = there.stream_stream("/grpc.health.v1.Health/Watch")(timeout=5)
        answer = await watching.read()
        assert health_pb2.HealthCheckResponse.FromString(answer).status == not_serving
        watching.cancel()
        # As clients send it, and larger than may be received: nobody looks.
        assert await there.unary_unary(METHOD + "ServerLive")(bytes(2 * 2**20), timeout=5)


async def test_neither_a_key_nor_a_tenant_takes_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_PATIENCE", 0.5)
    async with channel() as there:
        calls = slow(there, "a/1", "a/1")
        await asyncio.sleep(0.2)
        refused = await told(there, "a/1")
        assert refused["problem-type"] == "overloaded"
        assert refused["retry-after"] == "2"
        for other in ("a/2", "b/1"):
            assert (await told(there, other))["problem-type"] == "not-ready"
        calls += slow(there, "a/2")
        await asyncio.sleep(0.2)
        assert (await told(there, "a/2"))["problem-type"] == "overloaded"
        assert (await told(there, "b/1"))["problem-type"] == "not-ready"
        calls += slow(there, "b/1")
        await asyncio.sleep(0.2)
        assert (await told(there, "c/1"))["problem-type"] == "overloaded"
        for call in calls:
            call.cancel()
        await asyncio.sleep(0.2)
        for key in ("a/1", "a/2", "c/1"):
            assert (await told(there, key))["problem-type"] == "not-ready"
