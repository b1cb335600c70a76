"""The health service ``grpc.health.v1``, which anybody may ask, without receiving what they send.

gRPC's own handlers of calls with one message receive it before anything of the service is asked, as
large as any may be. All services here are as well as the server is, whichever a message names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

HEALTH = "grpc.health.v1.Health"
_SERVER = health_pb2.HealthCheckRequest(service="")


def health_handlers(answers: health.aio.HealthServicer) -> Mapping[str, Any]:
    """What handles its calls, by their methods.

    Args:
        answers: Knows how the server, whose name is empty, is.
    """

    async def check(_: AsyncIterator[bytes], context: Any) -> Any:
        return await answers.Check(_SERVER, context)

    async def watch(_: AsyncIterator[bytes], context: Any) -> None:
        await answers.Watch(_SERVER, context)

    written = health_pb2.HealthCheckResponse.SerializeToString
    return {
        "Check": grpc.stream_unary_rpc_method_handler(check, response_serializer=written),
        "Watch": grpc.stream_stream_rpc_method_handler(watch, response_serializer=written),
    }
