"""Concurrent requests share passes of the encoder."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import torch
from prometheus_client import Histogram
from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings

BATCH_SIZE = Histogram(
    "handful_encoder_batch_size", "Images in one pass of the encoder.", buckets=(1, 2, 4, 8, 16, 32)
)
BATCH_SECONDS = Histogram("handful_encoder_seconds", "Duration of one pass of the encoder.")


class MicroBatcher:
    """Encodes images in the order of their arrival, as many at a time as are waiting.

    There is no timer: an image that comes alone is encoded at once, and while a pass runs the
    next batch gathers. One thread runs the encoder, so the event loop stays free.
    """

    def __init__(self, backbone: Backbone, max_batch: int) -> None:
        self._backbone = backbone
        self._max_batch = max_batch
        self._waiting: deque[tuple[Tensor, asyncio.Future[ImageEmbeddings]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._running: asyncio.Task[None] | None = None

    async def encode(self, pixels: Tensor) -> ImageEmbeddings:
        """Embed one preprocessed image, (3, H, W); the answer has one row."""
        future: asyncio.Future[ImageEmbeddings] = asyncio.get_running_loop().create_future()
        self._waiting.append((pixels, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        return await future

    def close(self) -> None:
        """Stop the encoder's thread once its present batch is done."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [
                self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))
            ]
            # Whoever gave up waiting does not cost a place.
            batch = [(pixels, future) for pixels, future in batch if not future.done()]
            if not batch:
                continue
            try:
                rows = await loop.run_in_executor(
                    self._thread, self._encode, [pixels for pixels, _ in batch]
                )
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for i, (_, future) in enumerate(batch):
                if not future.done():
                    future.set_result(rows[i : i + 1])

    def _encode(self, images: list[Tensor]) -> ImageEmbeddings:
        start = perf_counter()
        rows = self._backbone.encode_images(torch.stack(images))
        BATCH_SIZE.observe(len(images))
        BATCH_SECONDS.observe(perf_counter() - start)
        return rows
