"""The inference engine: what runs the image tower."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from adapters.engines.image_pass import ImagePass
from adapters.recipe import Precision

logger = logging.getLogger("handful.runtime")


class Engine(Protocol):
    """An inference engine: runs an :class:`adapters.engines.image_pass.ImagePass`.

    Attributes:
        name: Such as ``openvino``, for logs and benchmarks.
        passes: How many threads may call it at the same time and gain by it.
        batch: Images of a call from which on more of them are no quicker each.
    """

    name: str
    passes: int
    batch: int

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels, as ``ImagePass`` does.

        They are on the CPU or on the engine's device. Thread-safe. Each row depends on its
        own image alone, to rounding.

        Returns:
            The (n, d) and (n, d') unit rows, float32, on the CPU.
        """
        ...


MakeEngine = Callable[[ImagePass, torch.device, tuple[int, int], str, Precision], Engine]
"""Factory of an engine.

From an ``ImagePass``, its device, height and width, a digest of what decides its output in
float32, and the precision to compute in.
"""


def warn_of_float32(precision: Precision) -> None:
    """Say that float32 stands in for a recipe's precision, if that is another one."""
    if precision != "float32":
        logger.warning(
            "images are embedded in float32 in the place of %s, which OpenVINO alone computes in",
            precision,
        )


class Eager:
    """PyTorch in eager mode, an operation at a time: the reference of the other engines.

    Args:
        image_pass: Module from (n, H, W, 3) uint8 pixels to two (n, ·) embeddings.
        device: Where the module is.
    """

    name = "eager"
    passes = 1
    batch = 16

    def __init__(self, image_pass: nn.Module, device: torch.device | str = "cpu") -> None:
        self._pass = image_pass
        self._device = torch.device(device)

    @classmethod
    def made(
        cls,
        image_pass: ImagePass,
        device: torch.device,
        _size: tuple[int, int],
        _identity: str,
        precision: Precision,
    ) -> Self:
        """Make one, as `MakeEngine` does; in float32, which stands in for all precisions."""
        warn_of_float32(precision)
        return cls(image_pass, device)

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels."""
        frozen, corrected = self._pass(pixels.to(self._device))
        return frozen.cpu(), corrected.cpu()
