"""Which servers there are to compare with: how each is started and asked."""

from __future__ import annotations

import base64
import json
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.load import Request
from benchmarks.load.service import PORT
from benchmarks.peers.models import Weights
from benchmarks.peers.servers.encoder import BATCH

Ask = Callable[[bytes], Request]


@dataclass(frozen=True, slots=True)
class Peer:
    """A server by others.

    Attributes:
        package: The distribution whose version is told.
        command: Started in the root of the repository; the first word is a script of its
            environment, and ``{port}`` becomes the port.
        ready: Path that is answered with 200 once it can serve.
        ask: Makes the request for a JPEG.
        environment: Variables.
        note: What it was set up as.
    """

    package: str
    command: Sequence[str]
    ready: str
    ask: Ask
    environment: dict[str, str]
    note: str


def peers(weights: Weights) -> dict[str, Peer]:
    """All that were tried, by name, serving these weights."""
    by_file = {"PEER_WEIGHTS": str(weights.open_clip)}
    servers = "benchmarks.peers.servers"
    batches = f"one worker, open_clip in eager PyTorch, batches of at most {BATCH}"
    module = ("python", "-m")
    return {
        "infinity": Peer(
            "infinity-emb",
            (
                *("infinity_emb", "v2", "--model-id", str(weights.transformers)),
                *("--served-model-name", "clip", "--port", PORT, "--host", "127.0.0.1"),
                *("--engine", "torch", "--device", "cpu", "--batch-size", "32"),
                *("--no-bettertransformer", "--dtype", "float32", "--no-model-warmup"),
            ),
            "/health",
            _infinity,
            {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"},
            "transformers in PyTorch, float32, its batches",
        ),
        "litserve": Peer(
            "litserve",
            (*module, f"{servers}.litserve_server", PORT),
            "/health",
            lambda file: Request.form("/predict", [file], "image/jpeg", "file"),
            by_file,
            batches,
        ),
        "mosec": Peer(
            "mosec",
            (*module, f"{servers}.mosec_server", "--port", PORT, "--address", "127.0.0.1"),
            "/",
            lambda file: Request.post("/inference", file, "image/jpeg"),
            by_file,
            batches,
        ),
        "bentoml": Peer(
            "bentoml",
            (
                *("bentoml", "serve", f"{servers}.bentoml_server:Clip"),
                *("--port", PORT, "--host", "127.0.0.1"),
            ),
            "/readyz",
            lambda file: Request.form("/embed", [file], "image/jpeg", "file"),
            by_file | {"BENTOML_DO_NOT_TRACK": "1"},
            "one worker with threads, open_clip in eager PyTorch, no batches",
        ),
        "ray": Peer(
            "ray",
            (*module, f"{servers}.ray_server", PORT),
            "/-/healthz",
            lambda file: Request.post("/embed", file, "image/jpeg"),
            by_file | {"RAY_USAGE_STATS_ENABLED": "0"},
            batches,
        ),
        "triton": Peer(
            "nvidia-pytriton",
            (*module, f"{servers}.triton_server", PORT),
            "/v2/models/clip/ready",
            _triton,
            # Its Python is otherwise the system's, which may be another release of the same.
            by_file | {"LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR")},
            batches,
        ),
        "torchserve": Peer(
            "torchserve",
            (*module, f"{servers}.torchserve_server", PORT),
            "/ping",
            lambda file: Request.post("/predictions/clip", file, "image/jpeg"),
            by_file,
            batches,
        ),
    }


UNAVAILABLE = {
    "OpenVINO Model Server": (
        "not in the package registries: PyPI has its client (`ovmsclient`) alone, Debian nothing; "
        "the server comes as a container image or an archive of its makers"
    ),
    "clip-server 0.8.3": (
        "pip found no set of versions that suits it in 15 minutes: it asks for Jina 3, which asks "
        "for releases of gRPC and OpenTelemetry of 2022"
    ),
}
"""Servers that cannot be installed from package registries, and why."""


def _infinity(file: bytes) -> Request:
    url = f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    asked = {"model": "clip", "modality": "image", "input": [url], "encoding_format": "float"}
    return Request.post("/embeddings", json.dumps(asked).encode(), "application/json")


def _triton(file: bytes) -> Request:
    """Triton's binary extension: a JSON header, then length and bytes of the one element."""
    size = 4 + len(file)
    asked = {
        "inputs": [
            {
                "name": "image",
                "shape": [1, 1],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": size},
            }
        ],
        "outputs": [{"name": "embedding", "parameters": {"binary_data": False}}],
    }
    header = json.dumps(asked).encode()
    body = header + len(file).to_bytes(4, "little") + file
    post = Request.post("/v2/models/clip/infer", body, "application/octet-stream")
    extra = f"inference-header-content-length: {len(header)}\r\n\r\n".encode()
    return Request(post.head.removesuffix(b"\r\n") + extra, body)
