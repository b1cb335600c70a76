"""How an image gets its second embedding."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Correction(Protocol):
    """Reduces the intra-modal overlap of a frozen encoder (Kravets & Namboodiri, BMVC 2024).

    Attributes:
        name: Enters the backbone's fingerprint: embeddings of different corrections must not
            be compared.
        joint: Whether the corrected embedding, too, is comparable with texts.
        module: What it has parameters in that are not the tower's, if anything.
    """

    name: str
    joint: bool
    module: nn.Module | None

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Run the image tower once for both embeddings, neither of them normalised yet.

        Args:
            visual: The image tower of an open_clip model.
            pixels: (n, 3, H, W) normalised pixels.

        Returns:
            The frozen (n, d) and the corrected (n, d') embeddings; each row depends on its
            own image alone.
        """
        ...
