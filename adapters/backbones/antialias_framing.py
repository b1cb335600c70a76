"""Resizing by PyTorch's antialiased resampling of eight-bit pixels, several times as quick."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from adapters.backbones.bounded import THIN
from adapters.backbones.framing import Framing
from adapters.recipe import Resizing


class AntialiasFraming:
    """Frames pictures as :class:`adapters.backbones.framing.Framing` does, on the processor.

    The filter is Pillow's (bicubic, as wide as the reduction, rows before columns, whole levels in
    between), with weights of fewer bits: in half a percent of the places the level is one more or
    less, in a tenth of them where Pillow resizes columns first, and at some sharp edges two.
    Pictures that are made larger are left to Pillow, which is as quick there; so are thin ones, of
    which it resizes nothing but the centre.

    Args:
        host: What it does the work of.

    Raises:
        ValueError: The geometry is another one than to resize the shorter side, bicubically, and to
            cut out the centre.
    """

    def __init__(self, host: Framing) -> None:
        known = host.shorter_side
        if known is None or known.interpolation is not Image.Resampling.BICUBIC:
            raise ValueError(f"not to resize the shorter side or not bicubically: {host.geometry}")
        self._host = host
        self._known = known

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> Tensor:
        """Return (H, W, 3) uint8 pixels of an RGB image. Thread-safe."""
        known = self._known
        width, height = known.resized(image.size)
        if width >= image.width or max(image.size) > THIN * min(image.size):
            return self._host(image)
        # Channels last, as they are in memory, is what the resampling is quickest with.
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
        resized = interpolate(pixels, (height, width), mode="bicubic", antialias=True)
        left, top = round((width - known.width) / 2), round((height - known.height) / 2)
        centre = resized[0, :, top : top + known.height, left : left + known.width]
        return centre.permute(1, 2, 0).contiguous()


def resized_by(resizing: Resizing, framing: Framing) -> Framing | AntialiasFraming:
    """What frames pictures on a processor by a recipe.

    Pillow does it, whatever the recipe says, where the geometry is none that is known here.
    """
    if resizing == "pillow":
        return framing
    try:
        return AntialiasFraming(framing)
    except ValueError:
        return framing
