"""No correction: for encoders without a trained adapter."""

from __future__ import annotations

from torch import Tensor, nn


class Uncorrected:
    """Uses the frozen embedding twice, so Tip-Adapter++ answers as Tip-Adapter does."""

    name = "uncorrected"
    joint = True
    module: nn.Module | None = None

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (n, d) embedding of the tower twice."""
        frozen: Tensor = visual(pixels)
        return frozen, frozen
