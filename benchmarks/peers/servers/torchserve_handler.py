"""TorchServe's handler: embeddings of a batch of bare bodies."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.servers.encoder import Encoder


class Handler:
    """Made and called by TorchServe's worker."""

    def initialize(self, context: Any) -> None:
        """Load the model."""
        self.encoder = Encoder()
        self.context = context
        self.initialized = True

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[dict[str, Any]]:
        """Embed a batch."""
        embeddings = self.encoder.embed([bytes(request["body"]) for request in data])
        return [{"embedding": embedding} for embedding in embeddings]
