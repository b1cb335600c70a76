"""LitServe: one worker, batches of what waits.

python -m benchmarks.peers.servers.litserve_server PORT
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

from benchmarks.peers.servers.encoder import BATCH, Encoder


class Clip(litserve.LitAPI):  # type: ignore[misc]
    """Embeddings of the form field ``file``."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self.encoder = Encoder()

    def decode_request(self, request):  # type: ignore[no-untyped-def]
        """The file of a form; LitServe takes an annotation for the type of the body."""
        content: bytes = request["file"].file.read()
        return content

    def predict(self, files: Any) -> list[list[float]]:
        """Embed a batch."""
        return self.encoder.embed(files)

    def encode_response(self, embedding: list[float]) -> dict[str, Any]:
        """The answer to one."""
        return {"embedding": embedding}

    def batch(self, inputs: Any) -> Any:
        """A batch is a list of files."""
        return list(inputs)

    def unbatch(self, output: Any) -> Any:
        """One answer a file."""
        return list(output)


if __name__ == "__main__":
    server = litserve.LitServer(Clip(max_batch_size=BATCH, batch_timeout=0.002), accelerator="cpu")
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
