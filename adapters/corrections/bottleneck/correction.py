"""A trained adapter as the correction of intra-modal overlap."""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from adapters.corrections.bottleneck.model import BottleneckAdapter


class Adapted:
    """A bottleneck adapter as correction: the adapted tower's embedding, projected as ever.

    Costs one pass of twice the batch from the first adapted block on.

    Args:
        adapter: Attached to the tower that is embedded with.
    """

    joint = True

    def __init__(self, adapter: BottleneckAdapter) -> None:
        self.adapter = adapter.eval().requires_grad_(False)
        self.module: nn.Module | None = self.adapter
        self.name = f"bottleneck {digest(adapter)}"
        # What a pass computes is a state of the adapter, so passes take turns.
        self._one_pass = Lock()

    def _turn(self) -> AbstractContextManager[Any]:
        # A compiled pass has no state, and a compiler cannot look through a lock.
        return nullcontext() if torch.compiler.is_compiling() else self._one_pass

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (n, d) embeddings of the frozen and of the adapted tower."""
        with self._turn(), self.adapter.both():
            frozen, adapted = visual(pixels).chunk(2)
        return frozen, adapted


class AdaptedBeforeProjection(Adapted):
    """A bottleneck adapter as correction: what the adapted trunk pools, before the projection.

    Args:
        adapter: Attached to the trunk of a timm tower, which pools.
    """

    joint = False

    def __init__(self, adapter: BottleneckAdapter) -> None:
        super().__init__(adapter)
        self.name = f"{self.name}, before-projection"

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frozen projected (n, d) and the adapted pooled (n, d') features."""
        with self._turn(), self.adapter.both():
            frozen, adapted = visual.get_submodule("trunk")(pixels).chunk(2)
        return visual.get_submodule("head")(frozen), adapted


def digest(adapter: BottleneckAdapter) -> str:
    """SHA-256 of the settings, places and parameters."""
    found = hashlib.sha256(json.dumps([adapter.config.as_dict(), adapter.names]).encode())
    for name, value in sorted(adapter.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()
