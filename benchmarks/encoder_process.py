"""What it costs to encode in another process, and what it saves.

    python -m benchmarks.encoder_process [--seconds 4] [--rounds 3] [--processes 2]

In one run, with the default backbone on the processor: the hand-over alone, to a process whose
passes take no time, beside a call in the same process that copies pictures to one place; images a
second over HTTP at 32 connections by one process, whose encoder is in it, and by several before an
encoder process, in turns; and the memory of each of these services, all its processes together,
each page counted once (PSS).
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import tempfile
import time
from pathlib import Path

import psutil
import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from adapters.recipe import ChooseRecipe, Recipe
from benchmarks.gpu import wait_for
from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from benchmarks.servers import PREDICT, handful, register
from service.encoder import load_encoder
from service.encoder_process.remote import RemoteEncoder
from service.encoder_process.server import EncoderServer
from service.settings import Settings

MANY = 32
COUNTS = (1, 8, 64)
CALLS = 300


class Instant:
    """A backbone whose passes take no time."""

    batch = max(COUNTS)

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._rows = ImageEmbeddings(
            torch.zeros(self.batch, backbone.width),
            torch.zeros(self.batch, backbone.corrected_width),
        )

    def __getattr__(self, name: str) -> object:
        if name == "_backbone":  # while it is copied
            raise AttributeError(name)
        return getattr(self._backbone, name)

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        """The same rows whatever the pixels."""
        return self._rows[: len(pixels)]

    def encode_pictures(self, pictures: list[Tensor], *, background: bool = False) -> object:
        """As a backbone does: puts pictures together first."""
        del background
        return self.encode_images(torch.stack(pictures))


def encode_in_no_time(listening: socket.socket) -> None:
    """Be an encoder process of that kind."""

    def load_it(recipe: Recipe | ChooseRecipe) -> Backbone:
        return Instant(load_encoder(Settings(runtime="eager"), recipe))  # type: ignore[return-value]

    EncoderServer(listening, load_it).serve()


def microseconds(encoder: Encoder, pictures: list[Tensor]) -> float:
    """Of a call, the median of many."""
    found = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        encoder.encode_pictures(pictures)
        found.append(time.perf_counter() - begin)
    return 1e6 * statistics.median(found)


def hand_over(rounds: int) -> list[Row]:
    """Microseconds of a call here and there."""
    with tempfile.TemporaryDirectory(prefix="handful-encoder-") as folder:
        path = Path(folder) / "encoder"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        process = multiprocessing.get_context("spawn").Process(
            target=encode_in_no_time, args=(listening,), daemon=True
        )
        process.start()
        remote = RemoteEncoder(lambda _: path, 1, Recipe())
        here: Encoder = Instant(load_encoder(Settings(runtime="eager")))  # type: ignore[assignment]
        rows: list[Row] = []
        for count in COUNTS:
            size = here.image_size
            pictures = list(torch.zeros(count, size, size, 3, dtype=torch.uint8))
            found = [
                (microseconds(remote, pictures), microseconds(here, pictures))
                for _ in range(rounds)
            ]
            there, own = (statistics.median(each) for each in zip(*found, strict=True))
            extra = sorted((a - b) / count for a, b in found)
            rows.append(
                {
                    "images a call": count,
                    "µs there": there,
                    "µs here": own,
                    "µs more an image": statistics.median(extra),
                    "lowest": extra[0],
                    "highest": extra[-1],
                }
            )
        remote.close()
        process.kill()
    return rows


def memory(service: Service) -> dict[str, float]:
    """MiB of all processes of a service, each page counted once, and how many these are."""
    parent = psutil.Process(service.process.pid)
    infos = [each.memory_full_info() for each in (parent, *parent.children(recursive=True))]
    return {
        "PSS MiB": sum(each.pss for each in infos) / 2**20,
        "processes in all": len(infos),
    }


def served(seconds: float, rounds: int, processes: int) -> tuple[list[Row], dict[str, float]]:
    """Images a second and memory of a service of one process and of several, in turns."""
    requests = [Request.post(PREDICT, file, "image/jpeg") for file in queries()]
    speeds: dict[int, list[float]] = {1: [], processes: []}
    rows: list[Row] = []
    precise = {"precision": "float32"}  # others would be compared first
    with (
        handful(processes=1, **precise) as alone,
        handful(processes=processes, **precise) as several,
    ):
        wait_for(several, processes)
        services = {1: alone, processes: several}
        for service in services.values():
            register(service)
        for _ in range(rounds):
            for count, service in services.items():
                plan = Plan(service.port, requests, MANY, seconds)
                speeds[count].append(load(plan).throughput)
        for count, service in services.items():
            found = speeds[count]
            rows.append(
                {
                    "HTTP processes": count,
                    "images/s": statistics.median(found),
                    "lowest": min(found),
                    "highest": max(found),
                    **memory(service),
                }
            )
    return rows, ratios(speeds[processes], speeds[1])


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    handed = hand_over(arguments.rounds)
    publish("encoder_hand_over", "Hand-over to an encoder process", handed)
    rows, ratio = served(arguments.seconds, arguments.rounds, arguments.processes)
    publish("encoder_process", "Several processes before an encoder process", rows, about=ratio)
    print("several / one:", *(f"{name} {value:.3f}" for name, value in ratio.items()), sep="  ")


if __name__ == "__main__":
    main()
