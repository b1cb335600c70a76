"""The health service ``grpc.health.v1``, which anybody may ask, without receiving what they send.

gRPC's own handlers of calls with one message receive it before anything of the service is asked, as
large as any may be. Its own servicer holds a lock while it writes to who watches: one of them who
reads nothing would keep all others, and the end of the service, waiting. All services here are as
well as the server is, whichever a message names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

HEALTH = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING = (
    health_pb2.HealthCheckResponse(status=status)
    for status in (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )
)


class Health:
    """Whether the server can answer, for who asks and who watches. For the event loop's thread.

    Args:
        most: Calls that watch at a time; they last as long as their clients like.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._watching = 0
        self._answer = _NOT_SERVING
        self._changed = asyncio.Event()

    def tell(self, well: bool) -> None:
        """Say whether the server can answer from now on."""
        self._answer = _SERVING if well else _NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    def handlers(self) -> Mapping[str, Any]:
        """What handles its calls, by their methods."""
        written = health_pb2.HealthCheckResponse.SerializeToString
        return {
            "Check": grpc.stream_unary_rpc_method_handler(self._check, response_serializer=written),
            "Watch": grpc.stream_stream_rpc_method_handler(
                self._watch, response_serializer=written
            ),
        }

    async def _check(self, _: AsyncIterator[bytes], __: Any) -> Any:
        return self._answer

    async def _watch(self, _: AsyncIterator[bytes], context: Any) -> None:
        if self._watching >= self._most:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self._most} calls watch already, and no more may. Call Check now and then.",
            )
        self._watching += 1
        told = None
        try:
            while True:
                changed, answer = self._changed, self._answer
                if answer is not told:
                    await context.write(told := answer)
                await changed.wait()
        finally:
            self._watching -= 1
