"""The image tower on an NVIDIA GPU: half precision, recorded once for each size of batch."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor, nn

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Images of a batch that passes are recorded for; others are filled up to the next one."""
_LANES = 2


class Cuda:
    """Replays CUDA graphs, so that a pass costs the processor one call however many kernels.

    Images cross the bus as eight-bit pixels from pinned memory; normalisation, both embeddings
    and their unit length are part of the graph. Two lanes, each with a stream and buffers of its
    own, let the copies of one pass overlap the computation of another.

    Recording takes a few seconds, and activations of the largest size take memory in each lane.

    Args:
        image_pass: Module from (n, H, W, 3) uint8 pixels to two embeddings, on the device, in
            the precision to compute in.
        device: Of type ``cuda``.
        size: Height and width of the images.
        sizes: Of batches, ascending.
    """

    name = "cuda"
    passes = _LANES
    batch = SIZES[-1]

    def __init__(
        self,
        image_pass: nn.Module,
        device: torch.device,
        size: tuple[int, int],
        sizes: Sequence[int] = SIZES,
    ) -> None:
        self._sizes = tuple(sizes)
        self._lanes: SimpleQueue[_Lane] = SimpleQueue()
        for _ in range(self.passes):
            self._lanes.put(_Lane(image_pass, device, size, self._sizes))

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels."""
        lane = self._lanes.get()
        try:
            parts = [lane.run(part) for part in torch.split(pixels, self._sizes[-1])]
        finally:
            self._lanes.put(lane)
        frozen, corrected = (torch.cat(rows) for rows in zip(*parts, strict=True))
        return frozen, corrected


class _Lane:
    """One pass at a time: a stream, and a recording for each size of batch."""

    def __init__(
        self,
        image_pass: nn.Module,
        device: torch.device,
        size: tuple[int, int],
        sizes: Sequence[int],
    ) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._sizes = sizes
        self._pinned = torch.zeros(sizes[-1], *size, 3, dtype=torch.uint8, pin_memory=True)
        self._pixels = torch.zeros(sizes[-1], *size, 3, dtype=torch.uint8, device=device)
        self._recorded: dict[int, tuple[torch.cuda.CUDAGraph, tuple[Tensor, Tensor]]] = {}
        pool = torch.cuda.graph_pool_handle()
        # The largest first: the others then find room in what it has taken.
        for n in sorted(sizes, reverse=True):
            self._recorded[n] = self._record(image_pass, n, pool)

    @torch.inference_mode()
    def _record(
        self, image_pass: nn.Module, n: int, pool: Any
    ) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, Tensor]]:
        with torch.cuda.stream(self._stream):
            image_pass(self._pixels[:n])  # libraries choose their kernels before the recording
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=self._stream):
            rows = image_pass(self._pixels[:n])
        return graph, rows

    @torch.inference_mode()
    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed at most as many images as the largest size."""
        n = len(pixels)
        graph, rows = self._recorded[padded_size(n, self._sizes)]
        self._pinned[:n].copy_(pixels)
        with torch.cuda.stream(self._stream):
            # What lies behind the n images is left from before, and its rows are not read.
            self._pixels[:n].copy_(self._pinned[:n], non_blocking=True)
            graph.replay()
            frozen, corrected = (one[:n].to("cpu", non_blocking=True) for one in rows)
        self._stream.synchronize()
        return frozen, corrected


def padded_size(n: int, sizes: Sequence[int]) -> int:
    """The smallest of the ascending sizes that holds n.

    Raises:
        ValueError: None does.
    """
    for size in sizes:
        if size >= n:
            return size
    raise ValueError(f"{n} images are more than {sizes[-1]}")
