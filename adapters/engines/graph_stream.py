"""A CUDA stream with recorded CUDA graphs, and memory for what goes in and comes out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from adapters.engines.compiled import EmbedPixels

logger = logging.getLogger("handful.runtime")

# Libraries choose kernels and make room for themselves on a stream's first passes, neither of
# which may happen in a recording.
_WARM_UP = 3

Recorded = TypeVar("Recorded")


class GraphStream:
    """A CUDA stream that replays graphs: one pass at a time; passes of two streams overlap.

    A recording holds the addresses that it reads and writes. So all of them read one buffer of
    pixels; what a replay computes is copied out before the next one of this stream begins, and only
    therefore may they share a pool of memory.

    Attributes:
        sizes: Of batches that there was memory for, ascending.

    Args:
        pass_of: The pass to record for a number of images.
        device: Of type ``cuda``.
        size: Height and width of the images.
        sizes: Of batches, ascending.

    Raises:
        torch.OutOfMemoryError: There is not even room for the smallest.
    """

    @torch.inference_mode()
    def __init__(
        self,
        pass_of: Callable[[int], EmbedPixels],
        device: torch.device,
        size: tuple[int, int],
        sizes: Sequence[int],
    ) -> None:
        self._device = device
        self._pass_of = pass_of
        with torch.cuda.device(device):
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._pixels = torch.zeros(sizes[-1], *size, 3, dtype=torch.uint8, device=device)
            # Other streams wait for nothing that this thread has asked the default one to do, such
            # as converting the parameters.
            torch.cuda.synchronize(device)
            self._pool = torch.cuda.graph_pool_handle()
            self._recorded = record_sizes(self._record, sizes, torch.cuda.empty_cache)
        self.sizes = tuple(sorted(self._recorded))
        # Memory that the bus reads and writes while the processor does something else.
        most = self.sizes[-1]
        self._sent = torch.zeros(most, *size, 3, dtype=torch.uint8, pin_memory=True)
        self._received = tuple(
            torch.zeros(most, rows.shape[1], dtype=rows.dtype, pin_memory=True)
            for rows in self._recorded[most][1]
        )

    @torch.inference_mode()
    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed at most as many images as the largest size.

        Args:
            pixels: (n, H, W, 3) uint8, on the CPU or, ready on the thread's current stream, on the
                device.

        Returns:
            The (n, d) and (n, d') unit rows, on the CPU.
        """
        n = len(pixels)
        graph, rows = self._recorded[padded_size(n, self.sizes)]
        if pixels.is_cuda:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        else:
            self._sent[:n].copy_(pixels)
            pixels = self._sent[:n]
        with torch.cuda.stream(self._stream):
            # What lies behind the n images is left from before, and its rows are not read.
            self._pixels[:n].copy_(pixels, non_blocking=True)
            graph.replay()
            for received, one in zip(self._received, rows, strict=True):
                received[:n].copy_(one[:n], non_blocking=True)
            self._done.record(self._stream)
        # Until here `pixels` is held, so that its memory is not given to anyone else.
        self._done.synchronize()
        frozen, corrected = (received[:n].clone() for received in self._received)
        return frozen, corrected

    def _record(self, n: int) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, Tensor]]:
        run, pixels = self._pass_of(n), self._pixels[:n]
        # A recording that fails may leave its stream behind as the thread's: not out of here.
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                run(pixels)
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # What other threads use the GPU for meanwhile is none of the recording's affair.
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                rows = run(pixels)
        return graph, rows


def record_sizes(
    record: Callable[[int], Recorded], sizes: Sequence[int], make_room: Callable[[], Any]
) -> dict[int, Recorded]:
    """Record each size that there is memory for, the largest first: others find room in its.

    Args:
        record: Records a size.
        sizes: Of batches.
        make_room: Called when there was no memory for one of them.

    Raises:
        torch.OutOfMemoryError: There is none for any.
    """
    recorded: dict[int, Recorded] = {}
    for n in sorted(sizes, reverse=True):
        try:
            recorded[n] = record(n)
        except torch.OutOfMemoryError:
            if n == min(sizes):
                raise
            make_room()
            logger.warning("the GPU has no memory for passes of %d images", n)
    return recorded


def padded_size(n: int, sizes: Sequence[int]) -> int:
    """The smallest of the ascending sizes that holds n.

    Raises:
        ValueError: None does.
    """
    for size in sizes:
        if size >= n:
            return size
    raise ValueError(f"{n} images are more than {sizes[-1]}")
