"""What surrounds the encoder: decoding, resizing, HTTP; each by the least that does it."""

from __future__ import annotations

import sys
from io import BytesIO

import numpy as np
from PIL import Image

from benchmarks.floor import Floor, rate
from benchmarks.limits.processor import cores
from benchmarks.limits.record import Around
from benchmarks.load import Plan, Request, Service, load, running
from benchmarks.load.service import PORT
from benchmarks.photographs import encoded, mosaic, queries
from benchmarks.servers import PREDICT
from service.encoder import load_encoder
from service.settings import Settings

MANY = 32
_LARGE = (640, 480)


def measure(rounds: int, seconds: float) -> Around:
    """Processor seconds of each, by the round."""
    rng = np.random.default_rng(0)
    small, large = queries(16), [encoded(mosaic(rng, *_LARGE)) for _ in range(8)]
    floor = Floor(load_encoder(Settings(device="cpu")), small)
    floor_large = Floor(floor.backbone, large)
    around = Around(
        decode=[], prepare=[], decode_large=[], prepare_large=[], parse=[], parse_one=[],
        generator=[],
    )  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.limits.minimal_http", PORT]
    with running(command, "/") as service:
        for _ in range(rounds):
            around.decode.append(_decoding(small, seconds))
            around.prepare.append(cores() / floor.prepare_rate(cores(), seconds))
            around.decode_large.append(_decoding(large, seconds))
            around.prepare_large.append(cores() / floor_large.prepare_rate(cores(), seconds))
            _http(around, service, small, seconds)
    return around


def _decoding(files: list[bytes], seconds: float) -> float:
    """Processor seconds of a JPEG by libjpeg-turbo, which Pillow calls without more."""

    def decode(turn: int) -> None:
        with Image.open(BytesIO(files[turn % len(files)])) as image:
            image.load()

    return cores() / rate(decode, cores(), seconds)


def _http(around: Around, service: Service, files: list[bytes], seconds: float) -> None:
    """Ask the minimal server as the others are asked."""
    requests = [Request.post(PREDICT, file, "image/jpeg") for file in files]
    before = service.processor()
    report = load(Plan(service.port, requests, MANY, 2 * seconds, 0.0))
    spent = service.processor() - before
    around.parse.append(spent / max(len(report.latencies), 1))
    around.generator.append(report.processor)
    one = load(Plan(service.port, requests, 1, seconds / 2))
    around.parse_one.append(one.latency(0.5))
