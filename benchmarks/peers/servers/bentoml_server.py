"""BentoML: one worker with threads; with its adaptive batches a lone query waited a second.

bentoml serve benchmarks.peers.servers.bentoml_server:Clip --port PORT
"""

from __future__ import annotations

from pathlib import Path

import bentoml

from benchmarks.peers.servers.encoder import Encoder


@bentoml.service(traffic={"timeout": 60, "max_concurrency": 256}, workers=1)
class Clip:
    """Embeddings of the form field ``file``."""

    def __init__(self) -> None:
        self.encoder = Encoder()

    @bentoml.api
    def embed(self, file: Path) -> list[list[float]]:
        """Embed one."""
        return self.encoder.embed([file.read_bytes()])
