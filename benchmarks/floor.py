"""What no service can beat: decoding and the bare forward pass, with prepared inputs."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from adapters.backbones import Backbone
from service.images.decoding import decode
from service.settings import Settings

BATCHES = (1, 2, 4, 8, 16, 32)
_LIMIT = Settings().max_image_pixels


def prepared(backbone: Backbone, content: bytes) -> Tensor:
    """An image as the encoder takes it: decoded as the service does it, and preprocessed."""
    return backbone.preprocess(decode(content, _LIMIT).pixels)


def forward_rate(
    encode: Callable[[Tensor], object], images: Sequence[Tensor], threads: int, seconds: float
) -> float:
    """Images a second when threads encode the same batch over and over.

    Args:
        encode: A pass.
        images: The images of the batch.
        threads: How many passes run at a time.
        seconds: Length of the measurement; a pass that begins in it is finished and counted.
    """
    batch = torch.stack(list(images))
    encode(batch)
    done = [0] * threads
    begin = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() - begin < seconds:
            encode(batch)
            done[number] += len(batch)

    at_once(work, threads)
    return sum(done) / (time.perf_counter() - begin)


def one_by_one(backbone: Backbone, contents: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """Median seconds to decode and preprocess one image, and of the pass of one image."""
    prepare, forward = [], []
    begin = time.perf_counter()
    turn = 0
    while (before := time.perf_counter()) - begin < seconds or not forward:
        pixels = prepared(backbone, contents[turn % len(contents)])
        between = time.perf_counter()
        backbone.encode_images(pixels.unsqueeze(0))
        prepare.append(between - before)
        forward.append(time.perf_counter() - between)
        turn += 1
    return statistics.median(prepare), statistics.median(forward)


def prepare_rate(
    backbone: Backbone, contents: Sequence[bytes], threads: int, seconds: float
) -> float:
    """Images a second that threads decode and preprocess, with nothing else to do."""
    done = [0] * threads
    begin = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() - begin < seconds:
            prepared(backbone, contents[(done[number] + number) % len(contents)])
            done[number] += 1

    at_once(work, threads)
    return sum(done) / (time.perf_counter() - begin)


def at_once(work: Callable[[int], None], threads: int) -> None:
    """Run a function in threads, each with its number, until all are done."""
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
