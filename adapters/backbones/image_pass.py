"""From the pixels of a picture to both embeddings: what a runtime runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize
from torchvision.transforms import Compose, Normalize, ToTensor

from adapters.backbones.errors import BackboneError
from adapters.corrections import Correction


class Framing:
    """Resizes and crops a picture to what the image tower takes; normalisation comes later.

    Eight bits a channel are all that a picture has, so that is what waits in queues and is
    copied to devices; :class:`ImagePass` makes numbers of it.

    Args:
        transform: open_clip's preprocessing: geometry, then ``ToTensor`` and ``Normalize``.

    Attributes:
        mean: (3,) of each channel, that pixels in 0..1 are normalised with.
        std: (3,) of each channel.

    Raises:
        BackboneError: The preprocessing ends otherwise.
    """

    def __init__(self, transform: Callable[[Image.Image], Tensor]) -> None:
        steps: list[Any] = getattr(transform, "transforms", [transform])
        if not (isinstance(steps[-1], Normalize) and isinstance(steps[-2:][0], ToTensor)):
            raise BackboneError(
                f"preprocessing that does not end in ToTensor and Normalize is not known: {steps}"
            )
        self._geometry = Compose(steps[:-2])
        self.mean = torch.tensor(steps[-1].mean)
        self.std = torch.tensor(steps[-1].std)

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (H, W, 3) uint8 pixels of an RGB image. Thread-safe."""
        return torch.from_numpy(np.array(self._geometry(image)))


class ImagePass(nn.Module):
    """Normalises pixels and embeds them twice, in one pass of the image tower.

    Args:
        visual: The image tower of an open_clip model.
        correction: How the second embedding comes about.
        framing: Whose mean and deviation the pixels are normalised with.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, visual: nn.Module, correction: Correction, framing: Framing) -> None:
        super().__init__()
        self.visual = visual
        self.correction = correction
        self.own = correction.module  # moves to other devices with the tower
        self.register_buffer("mean", framing.mean.view(3, 1, 1))
        self.register_buffer("std", framing.std.view(3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed images.

        Args:
            pixels: (n, H, W, 3) uint8, as :class:`Framing` gives them.

        Returns:
            The frozen (n, d) and the corrected (n, d') embeddings, rows of unit length.
        """
        # Channels last in memory already, which is what convolutions are quickest with.
        images = pixels.permute(0, 3, 1, 2).to(self.mean.dtype) / 255
        frozen, corrected = self.correction.embed(self.visual, (images - self.mean) / self.std)
        return normalize(frozen.float(), dim=-1), normalize(corrected.float(), dim=-1)
