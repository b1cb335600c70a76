"""Batches in an encoder replica: by our own queue, or by Ray Serve's ``@serve.batch``.

    python -m benchmarks.ray_batching [--seconds 4] [--callers 8] [--pictures 4]

A stand-in encoder, whose pass takes 4 ms and 1 ms a picture, in a replica of a Ray of this machine.
Threads call it again and again, each with some 224-pixel pictures, as ingress replicas do; and one
thread with one. Ours has no timer (``service/encoding/micro_batching.py``); Ray's waits as long as
it is told to for a batch to fill up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import ray
import torch
from ray import serve
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from benchmarks.load import percentile
from benchmarks.published import Row, publish
from service.encoding.fair_queue import Priority
from service.encoding.micro_batching import MicroBatcher

BATCH, WIDTH, SIDE = 64, 512, 224
PASS, PICTURE = 0.004, 0.001
WAITS = (0.0, 0.005)


def encode(pixels: Tensor) -> ImageEmbeddings:
    """A pass that computes nothing and takes its time."""
    time.sleep(PASS + PICTURE * len(pixels))
    rows = torch.zeros(len(pixels), WIDTH)
    return ImageEmbeddings(rows, rows)


class Ours:
    """As ``service/ray/hosted_backbones.py`` does."""

    def __init__(self) -> None:
        self._batches = MicroBatcher(encode, max_batch=BATCH, passes=1, decoders=2)

    async def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embed n pictures."""
        request = self._batches.submit(
            [torch.from_numpy(pixels)],
            lambda rows: (None, list(rows)),
            "caller",
            Priority.QUERIES,
            inputs=len(pixels),
        )
        [(_, rows)] = await request.answer
        return ImageEmbeddings.concatenate(rows).frozen.numpy()


class Theirs:
    """By ``@serve.batch``, which counts pictures."""

    def __init__(self, wait: float) -> None:
        self._together.set_batch_wait_timeout_s(wait)

    @serve.batch(
        max_batch_size=BATCH, batch_size_fn=lambda calls: sum(len(pixels) for pixels in calls)
    )
    async def _together(self, calls: list[np.ndarray]) -> list[np.ndarray]:
        pixels = torch.from_numpy(np.concatenate(calls))
        rows = (await asyncio.to_thread(encode, pixels)).frozen.numpy()
        return np.split(rows, np.cumsum([len(one) for one in calls])[:-1])

    async def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embed n pictures."""
        return await self._together(pixels)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=4)
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    try:
        rows = []
        options = {"ray_actor_options": {"num_cpus": 0}, "max_ongoing_requests": 64}
        ways = {"ours": serve.deployment(Ours, **options).bind()} | {
            f"@serve.batch, {1000 * wait:g} ms": serve.deployment(
                Theirs, name=f"theirs-{wait}", **options
            ).bind(wait)
            for wait in WAITS
        }
        for number, (name, application) in enumerate(ways.items()):
            handle = serve.run(application, name=f"way-{number}", route_prefix=f"/{number}")
            for callers, pictures in ((1, 1), (arguments.callers, arguments.pictures)):
                rows.append(_row(name, handle.remote, callers, pictures, arguments.seconds))
            serve.delete(f"way-{number}")
    finally:
        serve.shutdown()
        ray.shutdown()
    publish("ray_batching", "Batches in an encoder replica", rows, about=vars(arguments))


def _row(
    name: str, call: Callable[..., object], callers: int, pictures: int, seconds: float
) -> Row:
    pixels = np.zeros((pictures, SIDE, SIDE, 3), np.uint8)
    latencies: list[float] = []
    begins = time.monotonic() + 1.0

    def ask() -> None:
        while (begun := time.monotonic()) < begins + seconds:
            call(pixels).result()  # type: ignore[attr-defined]
            if begun > begins:
                latencies.append(time.monotonic() - begun)

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "way": name,
        "callers": callers,
        "pictures a call": pictures,
        "pictures/s": pictures * len(latencies) / seconds,
        "p50 ms": 1000 * median(latencies),
        "p99 ms": 1000 * percentile(sorted(latencies), 0.99),
        "at best ms": 1000 * (PASS + PICTURE * pictures),
    }


if __name__ == "__main__":
    main()
