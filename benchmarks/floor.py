"""What no service can beat: decoding and the bare forward pass, on inputs that are there already.

To be measured while the servers have nothing to do.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.backbones import Backbone
from service.images.decoding import decode
from service.settings import Settings

BATCHES = (1, 2, 4, 8, 16, 32)
_LIMIT = Settings().max_image_pixels


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run the encoder.

    Attributes:
        batch: Images a pass.
        threads: Passes at a time.
    """

    batch: int
    threads: int


class Floor:
    """The encoder as the service has it, with images that are ready for it.

    Args:
        backbone: The encoder.
        contents: Image files; decoded and preprocessed here.
    """

    def __init__(self, backbone: Backbone, contents: Sequence[bytes]) -> None:
        self.backbone = backbone
        self.contents = contents
        self._images = [self.prepared(content) for content in contents]

    def prepared(self, content: bytes) -> Tensor:
        """An image as the encoder takes it, decoded as the service does it."""
        decoded = decode(content, _LIMIT, side=self.backbone.image_size)
        return self.backbone.preprocess(decoded.pixels)

    def ways(self) -> list[Way]:
        """The ways that make sense: every batch, alone and as many at a time as gain by it."""
        threads = sorted({1, self.backbone.passes})
        return [Way(batch, count) for batch in BATCHES for count in threads]

    def forward_rate(self, way: Way, seconds: float) -> float:
        """Images a second through the encoder alone.

        Passes that begin within ``seconds`` are finished and counted.
        """
        chosen = [self._images[i % len(self._images)] for i in range(way.batch)]
        pixels = torch.stack(chosen)
        return rate(lambda _: self.backbone.encode_images(pixels), way.threads, seconds, way.batch)

    def best(self, seconds: float) -> tuple[Way, dict[Way, float]]:
        """The way with the highest rate, and the rates of all, each timed for ``seconds``."""
        for way in self.ways():
            self.forward_rate(way, 0)  # the first pass of a shape is slower
        rates = {way: self.forward_rate(way, seconds) for way in self.ways()}
        return max(rates, key=lambda way: rates[way]), rates

    def prepare_rate(self, threads: int, seconds: float) -> float:
        """Images a second that threads decode and preprocess, the encoder idle."""
        count = len(self.contents)
        return rate(lambda turn: self.prepared(self.contents[turn % count]), threads, seconds)

    def one_by_one(self, seconds: float) -> tuple[float, float]:
        """Median seconds to decode and preprocess an image, and to encode one alone."""
        prepare: list[float] = []
        forward: list[float] = []
        end = time.perf_counter() + seconds
        while (before := time.perf_counter()) < end or not forward:
            pixels = self.prepared(self.contents[len(forward) % len(self.contents)]).unsqueeze(0)
            between = time.perf_counter()
            self.backbone.encode_images(pixels)
            prepare.append(between - before)
            forward.append(time.perf_counter() - between)
        return statistics.median(prepare), statistics.median(forward)


def rate(work: Callable[[int], object], threads: int, seconds: float, worth: int = 1) -> float:
    """How much threads get done in a second.

    Args:
        work: Called with a number that counts up, from each thread.
        threads: How many.
        seconds: Calls that begin within it are finished and counted; each thread makes one.
        worth: What a call counts.
    """
    begin = time.perf_counter()
    calls = [0] * threads

    def run(number: int) -> None:
        while True:
            work(number + threads * calls[number])
            calls[number] += 1
            if time.perf_counter() - begin >= seconds:
                return

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return worth * sum(calls) / (time.perf_counter() - begin)
