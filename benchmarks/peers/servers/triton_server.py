"""Triton Inference Server by NVIDIA's PyTriton: Triton before one Python process.

python -m benchmarks.peers.servers.triton_server PORT
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.servers.encoder import BATCH, Encoder

encoder = Encoder()


@batch  # type: ignore[untyped-decorator]
def embed(image: Any) -> list[Any]:
    """Embed a batch of (n, 1) files."""
    return [np.array(encoder.embed([bytes(file[0]) for file in image]), np.float32)]


if __name__ == "__main__":
    port = int(sys.argv[1])
    config = TritonConfig(http_address="127.0.0.1", http_port=port, allow_grpc=False)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="clip",
            infer_func=embed,
            inputs=[Tensor(name="image", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="embedding", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(
                max_batch_size=BATCH, batcher=DynamicBatcher(max_queue_delay_microseconds=2000)
            ),
        )
        triton.serve()
