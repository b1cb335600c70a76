"""An engine whose rows keep the length that the tower gave them, for averages of raw embeddings."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from adapters.engines.image_pass import ImagePass
from adapters.engines.inference_engine import Eager
from adapters.recipe import Precision

# Images of a call that keep a GPU busy without taking more than some GB.
_ON_A_GPU = 128


class Raw(Eager):
    """PyTorch in eager mode, in float32, without the last step: rows are not of unit length.

    For evaluation as the papers do it. Whatever compares embeddings has to normalise them first.
    """

    name = "raw"

    @classmethod
    def made(
        cls,
        image_pass: ImagePass,
        device: torch.device,
        _size: tuple[int, int],
        _identity: str,
        _precision: Precision,
    ) -> Self:
        """Make one, as `MakeEngine` does."""
        engine = cls(_RawPass(image_pass), device)
        if device.type == "cuda":
            engine.batch = _ON_A_GPU
        return engine


class _RawPass(nn.Module):
    def __init__(self, image_pass: ImagePass) -> None:
        super().__init__()
        self._pass = image_pass

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(n, H, W, 3) uint8 pixels as (n, d) and (n, d') rows of any length."""
        return self._pass.raw(pixels)
