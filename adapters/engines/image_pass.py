"""The forward pass from pixels to both embeddings: what an engine runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections import Correction


class ImagePass(nn.Module):
    """One forward pass of the image tower: pixels are normalised and embedded twice.

    Args:
        visual: The image tower of an open_clip model.
        correction: How the second embedding comes about.
        mean: (3,) of each channel, that pixels in 0..1 are normalised with.
        std: (3,) of each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, visual: nn.Module, correction: Correction, mean: Tensor, std: Tensor
    ) -> None:
        super().__init__()
        self.visual = visual
        self.correction = correction
        self.own = correction.module  # moves to other devices with the tower
        self.precision = torch.float32
        self.register_buffer("mean", mean.view(3, 1, 1))
        self.register_buffer("std", std.view(3, 1, 1))

    def compute_in(self, precision: torch.dtype) -> None:
        """Convert the parameters; normalising pixels and embeddings stays in float32."""
        self.visual.to(precision)
        if self.own is not None:
            self.own.to(precision)
        self.precision = precision

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed images.

        Args:
            pixels: (n, H, W, 3) uint8.

        Returns:
            The frozen (n, d) and the corrected (n, d') embeddings, rows of unit length.
        """
        frozen, corrected = self.raw(pixels)
        return normalize(frozen, dim=-1), normalize(corrected, dim=-1)

    def raw(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed images as :meth:`forward` does; rows have the length that the tower gave them."""
        # Channels last in memory already, which is what convolutions are quickest with.
        images = pixels.permute(0, 3, 1, 2).float() / 255
        images = ((images - self.mean) / self.std).to(self.precision)
        frozen, corrected = self.correction.embed(self.visual, images)
        return frozen.float(), corrected.float()
