"""Resizing and cropping on a GPU, which leaves its processor more time to decode."""

from __future__ import annotations

import threading

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from adapters.backbones.framing import Framing

# Larger pictures, before or after, are resized by the processor, which resizes nothing of a strip
# but its centre. The service's decoder has made most of them smaller already. In float32, and once
# more as they come out, this many pixels take 100 MB for each thread that decodes.
MOST_PIXELS = 2**22


class DeviceFraming:
    """Frames pictures as :class:`adapters.backbones.framing.Framing` does, on a device.

    Pixels cross the bus with eight bits a channel, at the size that they were decoded to. As in
    Pillow rows are resized first, then columns, both rounded to whole levels: the same pixels but
    for a level in about one of a thousand.

    Args:
        host: What it does the work of.
        device: Where the pixels are to be.

    Raises:
        ValueError: The geometry is another one than to resize the shorter side, bicubically, and to
            cut out the centre.
    """

    def __init__(self, host: Framing, device: torch.device) -> None:
        self._host = host
        self._device = device
        known = host.shorter_side
        if known is None or known.interpolation is not Image.Resampling.BICUBIC:
            raise ValueError(f"not to resize the shorter side or not bicubically: {host.geometry}")
        self._resized = known.resized
        self._height, self._width = known.height, known.width
        self._own = threading.local()

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> Tensor:
        """Return (H, W, 3) uint8 pixels of an RGB image, ready on the device. Thread-safe."""
        width, height = self._resized(image.size)
        if max(image.width * image.height, image.width * height, width * height) > MOST_PIXELS:
            return self._host(image).to(self._device)
        pixels = torch.from_numpy(np.array(image))
        if self._device.type != "cuda":
            return self._framed(pixels.to(self._device), width, height)
        own = self._own
        if not hasattr(own, "stream"):
            own.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            own.done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            own.sent = torch.empty(3 * MOST_PIXELS, dtype=torch.uint8, pin_memory=True)
        sent = own.sent[: pixels.numel()].view_as(pixels).copy_(pixels)
        with torch.cuda.stream(own.stream):
            framed = self._framed(sent.to(self._device, non_blocking=True), width, height)
            own.done.record(own.stream)
        # Whoever reads it on another stream need not wait, and `sent` may be written again.
        own.done.synchronize()
        return framed

    def _framed(self, pixels: Tensor, width: int, height: int) -> Tensor:
        """Resize (h, w, 3) pixels to a width and height, and cut out the centre."""
        left = round((width - self._width) / 2)
        top = round((height - self._height) / 2)
        if pixels.shape[:2] != (height, width):
            x = pixels.permute(2, 0, 1).unsqueeze(0).float()
            # Columns that are cut off need not be resized.
            x = _resize(x, x.shape[2], width)[:, :, :, left : left + self._width]
            x = _resize(x, height, self._width)[:, :, top : top + self._height]
            return x[0].permute(1, 2, 0).to(torch.uint8, memory_format=torch.contiguous_format)
        rows = slice(top, top + self._height)
        return pixels[rows, left : left + self._width].contiguous()


def on_device(framing: Framing, device: torch.device) -> Framing | DeviceFraming:
    """Frame on the device where that is a GPU, and the geometry one that is known there.

    On a processor Pillow is the quicker one.
    """
    if device.type != "cuda":
        return framing
    try:
        return DeviceFraming(framing, device)
    except ValueError:
        return framing


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    """Resize (1, 3, h, w) levels as Pillow does, to whole levels."""
    resized = interpolate(x, (height, width), mode="bicubic", antialias=True)
    return resized.round_().clamp_(0, 255)
