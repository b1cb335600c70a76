"""What the Open Inference Protocol costs a query, beside the service's own way of asking.

    python -m benchmarks.open_inference [--rounds 5] [--queries 300] [--backbone lite]

One service, asked about one 224-pixel JPEG at a time in four ways: ``/v1/.../predict``,
``/v2/.../infer`` with a binary tensor, the same in JSON (base64), and gRPC. In each round every way
is asked by one connection and by eight, one way after the other in an order that is drawn; ratios
are of one round, and their median, lowest and highest are printed. Clients are threads of this
process, so that what they take themselves is in the figures of all four; gRPC's client takes more
than HTTP's.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import random
import socket
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import grpc
import httpx2 as httpx

from benchmarks.photographs import queries, zipped_support
from benchmarks.published import machine
from service.integrations.open_inference.rpc.messages import SERVICE, ModelInferRequest
from tests.service.server import Server

NAME = "benchmark"
INFER = f"/v2/models/{NAME}/infer"
MANY = 8
OWN = "/v1, predict"
Ask = Callable[[bytes], None]


def over_http(
    url: str, path: str, made: Callable[[bytes], tuple[bytes, dict[str, str]]]
) -> Callable[[], Ask]:
    """Makes what asks by one connection."""

    def connected() -> Ask:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

        def ask(image: bytes) -> None:
            connection.request("POST", path, *made(image))
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {content[:200]!r}")

        return ask

    return connected


def plain(image: bytes) -> tuple[bytes, dict[str, str]]:
    """The service's own request."""
    return image, {"content-type": "image/jpeg"}


def binary(image: bytes) -> tuple[bytes, dict[str, str]]:
    """A binary tensor behind JSON, as Triton's client sends it; the answer is binary too."""
    about = {"name": "image", "datatype": "BYTES", "shape": [1]}
    size = {"binary_data_size": len(image) + 4}
    document = {
        "inputs": [about | {"parameters": size}],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(document).encode()
    body = text + struct.pack("<I", len(image)) + image
    return body, {"inference-header-content-length": str(len(text))}


def in_json(image: bytes) -> tuple[bytes, dict[str, str]]:
    """The image in base64."""
    about = {"name": "image", "datatype": "BYTES", "shape": [1]}
    document = {"inputs": [about | {"data": [base64.b64encode(image).decode()]}]}
    return json.dumps(document).encode(), {"content-type": "application/json"}


def over_grpc(port: int) -> Callable[[], Ask]:
    """Makes what asks by one channel."""

    def connected() -> Ask:
        channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
        )
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")

        def ask(image: bytes) -> None:
            about = {"name": "image", "datatype": "BYTES", "shape": [1]}
            message = ModelInferRequest(
                model_name=NAME,
                inputs=[about],
                raw_input_contents=[struct.pack("<I", len(image)) + image],
            )
            infer(message.SerializeToString())

        return ask

    return connected


def asked(ways: list[Ask], images: list[bytes], number: int) -> tuple[float, float]:
    """Median milliseconds of an answer, and answers a second, of a loop of so many questions."""
    took: list[float] = []

    def loop(ask: Ask) -> None:
        for i in range(number // len(ways)):
            begun = time.perf_counter()
            ask(images[i % len(images)])
            took.append(1000 * (time.perf_counter() - begun))

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(ways)) as threads:
        list(threads.map(loop, ways))
    return median(took), len(took) / (time.perf_counter() - begun)


def told(values: list[float]) -> str:
    """Median, lowest and highest."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--backbone", default="lite")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    images = list(queries(64))
    with (
        tempfile.TemporaryDirectory(prefix="handful-oip-") as folder,
        Server.ready(
            Path(folder),
            backbone=options.backbone,
            integrations="open-inference",
            grpc_port=port,
        ) as running,
    ):
        own = f"/v1/classifiers/{NAME}"
        with httpx.Client(base_url=running.url, timeout=300) as client:
            client.put(own).raise_for_status()
            headers = {"content-type": "application/zip"}
            answer = client.post(f"{own}/support", content=zipped_support(), headers=headers)
            answer.raise_for_status()
        kinds = {
            OWN: over_http(running.url, f"{own}/predict?evidence=0&top_k=1", plain),
            "/v2, binary tensor": over_http(running.url, INFER, binary),
            "/v2, JSON": over_http(running.url, INFER, in_json),
            "gRPC": over_grpc(port),
        }
        found: defaultdict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
        for round_ in range(options.rounds + 1):
            for many in (1, MANY):
                for name in random.sample(list(kinds), len(kinds)):
                    ways = [kinds[name]() for _ in range(many)]
                    measured = asked(ways, images, options.queries)
                    if round_:  # the first one warms up
                        found[name, many].append(measured)
    print(machine())
    print(f"{options.backbone}, {options.rounds} rounds of {options.queries} queries\n")
    print("| way | ms, one connection | of /v1 | a second, eight | of /v1 |\n|---|---|---|---|---|")
    for name in kinds:
        cells = []
        for many, which in ((1, 0), (MANY, 1)):
            values = [one[which] for one in found[name, many]]
            base = [one[which] for one in found[OWN, many]]
            ratios = [one / other for one, other in zip(values, base, strict=True)]
            cells += [
                f"{median(values):.2f}" if which == 0 else f"{median(values):.0f}",
                told(ratios),
            ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
