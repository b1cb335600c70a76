"""One bottleneck: ``s · Up(ReLU(Down(x)))``."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """What an adapter adds to the output of one block (AdaptFormer, Chen et al., NeurIPS 2022).

    ``Up`` begins at zero and ``Down`` at Kaiming-uniform, so that an untrained adapter adds
    exactly nothing. There is no layer norm of its own.

    Args:
        inputs: Width of what it reads.
        width: Of the bottleneck.
        outputs: Width of what it adds to.
        channels_first: Whether features come as (n, width, height, width) maps of a
            convolutional tower, and not as (..., width) tokens.
    """

    def __init__(self, inputs: int, width: int, outputs: int, *, channels_first: bool) -> None:
        super().__init__()
        if channels_first:
            self.down: nn.Module = nn.Conv2d(inputs, width, 1)
            self.up: nn.Module = nn.Conv2d(width, outputs, 1)
        else:
            self.down = nn.Linear(inputs, width)
            self.up = nn.Linear(width, outputs)
        nn.init.kaiming_uniform_(self.down.get_parameter("weight"), a=5**0.5)
        for name in ("down.bias", "up.weight", "up.bias"):
            nn.init.zeros_(self.get_parameter(name))

    def forward(self, x: Tensor) -> Tensor:
        """Turn ``inputs`` channels into what is added to ``outputs`` channels, before its scale."""
        added: Tensor = self.up(torch.relu(self.down(x)))
        return added
