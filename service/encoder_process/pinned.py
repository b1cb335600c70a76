"""Shared memory that a GPU reads by itself, registered with CUDA: no copy is made before."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Sequence

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings

logger = logging.getLogger("handful")


def pin(memory: Tensor, device: torch.device) -> None:
    """Lock memory for as long as the tensor lives, where the device is a GPU.

    Copies from it to the device are then made by the bus alone, beside other work. If CUDA refuses,
    they are made all the same, and slower.

    Args:
        memory: (bytes,) uint8 of shared memory.
        device: Which reads it.
    """
    if device.type != "cuda":
        return
    with torch.cuda.device(device):
        runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        address, size = memory.data_ptr(), memory.numel()
        refused = int(runtime.cudaHostRegister(address, size, 0))
        if refused:
            logger.warning("shared memory is not pinned: CUDA error %d", refused)
            return
        weakref.finalize(memory, runtime.cudaHostUnregister, address)


class FromPinned:
    """Encodes on a GPU what lies in several places of pinned memory.

    Each place is copied to the device by the bus, on a stream of the thread that asks.

    Args:
        backbone: On a GPU.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._own = threading.local()

    @torch.inference_mode()
    def __call__(self, parts: Sequence[Tensor]) -> ImageEmbeddings:
        """Embed several (n, H, W, 3) uint8 tensors, one after the other."""
        device = self._backbone.device
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._own.stream):
            count = sum(map(len, parts))
            pixels = torch.empty(count, *parts[0].shape[1:], dtype=torch.uint8, device=device)
            at = 0
            for part in parts:
                pixels[at : at + len(part)].copy_(part, non_blocking=True)
                at += len(part)
            # The engine's stream waits for this one, and is waited for before it returns.
            return self._backbone.encode_images(pixels)
