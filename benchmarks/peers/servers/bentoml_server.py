"""BentoML: one worker with its adaptive batching.

bentoml serve benchmarks.peers.servers.bentoml_server:Clip --port PORT
"""

from __future__ import annotations

from pathlib import Path

import bentoml

from benchmarks.peers.servers.encoder import BATCH, Encoder


@bentoml.service(traffic={"timeout": 60, "max_concurrency": 256}, workers=1)
class Clip:
    """Embeddings of the form fields ``files``."""

    def __init__(self) -> None:
        self.encoder = Encoder()

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=2000)
    def embed(self, files: list[Path]) -> list[list[float]]:
        """Embed a batch."""
        return self.encoder.embed([file.read_bytes() for file in files])
