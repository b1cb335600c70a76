"""Mosec: one worker, batches of what waits.

python -m benchmarks.peers.servers.mosec_server --port PORT
"""

from __future__ import annotations

from typing import Any

import mosec

from benchmarks.peers.servers.encoder import BATCH, Encoder


class Clip(mosec.Worker):  # type: ignore[misc]
    """Embeddings of bare bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def deserialize(self, data: bytes) -> bytes:
        """A body is an image file."""
        return data

    def forward(self, data: Any) -> Any:
        """Embed a batch."""
        return [{"embedding": embedding} for embedding in self.encoder.embed(data)]


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Clip, num=1, max_batch_size=BATCH, max_wait_time=2)
    server.run()
