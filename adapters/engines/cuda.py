"""The image tower on an NVIDIA GPU: a CUDA graph for each size of batch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from queue import SimpleQueue

import torch
from torch import Tensor

from adapters.engines.compiled import COMPILED_FROM, EmbedPixels
from adapters.engines.graph_stream import GraphStream, padded_size

logger = logging.getLogger("handful.runtime")

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Images of a batch that passes are recorded for."""
STREAMS = 2
# What each pass takes besides its images, in images: 2 to 4 of ViT-B/16 on an H100 (docs/gpu.md).
_OVERHEAD = 3


class Cuda:
    """Replays CUDA graphs, so that a pass costs the processor one call however many kernels.

    Images cross the bus as eight-bit pixels from pinned memory, or are on the device already;
    normalisation, both embeddings and their unit length are part of the graph. Two streams, each
    with graphs and buffers of its own, let the copies of one pass overlap the computation of
    another, and the memory-bound parts of one the products of another.

    Recording takes a few seconds, and activations of the largest size take memory in each stream.
    On a GPU with too little of it large sizes are left out, or the second stream.

    Attributes:
        passes: The number of streams.
        batch: The largest size.

    Args:
        image_pass: Module from (n, H, W, 3) uint8 pixels to two embeddings, on the device, in
            the precision to compute in.
        device: Of type ``cuda``.
        size: Height and width of the images.
        sizes: Of batches, ascending.
        compiled: The same pass compiled, to be recorded for the sizes that it serves.

    Raises:
        torch.OutOfMemoryError: There is no memory for the smallest size.
    """

    def __init__(
        self,
        image_pass: EmbedPixels,
        device: torch.device,
        size: tuple[int, int],
        sizes: Sequence[int] = SIZES,
        compiled: EmbedPixels | None = None,
    ) -> None:
        self.name = "cuda" if compiled is None else "cuda, compiled"

        def pass_of(n: int) -> EmbedPixels:
            return image_pass if compiled is None or n < COMPILED_FROM else compiled

        streams = [GraphStream(pass_of, device, size, sizes)]
        try:
            while len(streams) < STREAMS:
                streams.append(GraphStream(pass_of, device, size, streams[0].sizes))
        except torch.OutOfMemoryError:
            logger.warning("the GPU has no memory for passes that overlap")
            torch.cuda.empty_cache()
        self.passes = len(streams)
        self.batch = min(stream.sizes[-1] for stream in streams)
        self._streams: SimpleQueue[GraphStream] = SimpleQueue()
        for stream in streams:
            self._streams.put(stream)

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels, n ≥ 1, on the CPU or on the device."""
        stream = self._streams.get()
        try:
            sizes = recordings(len(pixels), stream.sizes)
            parts = [stream.run(part) for part in torch.split(pixels, sizes)]
        finally:
            self._streams.put(stream)
        frozen, corrected = (torch.cat(rows) for rows in zip(*parts, strict=True))
        return frozen, corrected


def recordings(n: int, sizes: tuple[int, ...]) -> list[int]:
    """How many images to give to each of several passes, so that all of them take least.

    A pass takes as long as one of the next recorded size, so 150 images are better off as 128,
    16 and 6 (in the place of 8) than in the place of 256.

    Args:
        n: Images, one or more.
        sizes: Recorded, ascending.
    """
    whole, rest = divmod(n, sizes[-1])
    return [sizes[-1]] * whole + (_cheapest(rest, sizes)[1] if rest else [])


@cache
def _cheapest(n: int, sizes: tuple[int, ...]) -> tuple[int, list[int]]:
    """What n images cost that one pass would have room for, and in which parts."""
    whole = padded_size(n, sizes) + _OVERHEAD, [n]
    smaller = [size for size in sizes if size < n]
    if not smaller:
        return whole
    cost, parts = _cheapest(n - smaller[-1], sizes)
    return min(whole, (smaller[-1] + _OVERHEAD + cost, [smaller[-1], *parts]))
