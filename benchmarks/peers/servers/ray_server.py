"""Ray Serve: one replica, batches of what waits.

python -m benchmarks.peers.servers.ray_server PORT
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.responses import JSONResponse

from benchmarks.peers.servers.encoder import BATCH, Encoder


# Ray gives a replica as many threads as it is said to have cores.
@serve.deployment(
    max_ongoing_requests=256,
    ray_actor_options={"num_cpus": len(os.sched_getaffinity(0))},
)
class Clip:
    """Embeddings of bare bodies."""

    def __init__(self) -> None:
        self.encoder = Encoder()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.002)
    async def embed(self, files: list[bytes]) -> list[list[float]]:
        """Embed a batch."""
        return self.encoder.embed(files)

    async def __call__(self, request: Any) -> JSONResponse:
        """Answer one request."""
        return JSONResponse({"embedding": await self.embed(await request.body())})


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ray.init(
        num_cpus=len(os.sched_getaffinity(0)),
        object_store_memory=100 * 2**20,
        include_dashboard=False,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Clip.bind(), name="clip", route_prefix="/embed", blocking=True)
