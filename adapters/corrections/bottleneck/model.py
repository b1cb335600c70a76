"""A bottleneck adapter attached to an image tower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from adapters.corrections.bottleneck.config import BottleneckConfig
from adapters.corrections.bottleneck.insertion_points import (
    InsertionPoint,
    NoInsertionPointError,
    insertion_points,
)
from adapters.corrections.bottleneck.layer import Bottleneck


class Pass(Enum):
    """What a pass through the tower computes."""

    ADAPTED = "adapted"
    FROZEN = "frozen"
    BOTH = "both"


class BottleneckAdapter(nn.Module):
    """Adds ``s · Up(ReLU(Down(x)))`` to blocks of an image tower (Kravets & Namboodiri, BMVC 2024).

    A block of a ViT becomes ``x + MLP(LN(x)) + s · Up(ReLU(Down(x)))``. The tower's own modules
    and their state stay as they are: the adapter is attached by hooks, holds nothing but its
    own parameters and can be taken off with :meth:`detach`. Made by :func:`attach`.

    A pass of a tower with an adapter is, for one thread at a time,

    - adapted, unless said otherwise;
    - frozen, within ``with adapter.frozen():``, bitwise as without the adapter;
    - both, within ``with adapter.both():``: n images give 2n rows, the frozen ones first. What
      lies before the first adapted block is computed once.

    Attributes:
        config: Its settings.
        names: The blocks that it sits in.
    """

    def __init__(self, visual: nn.Module, config: BottleneckConfig) -> None:
        super().__init__()
        chosen = _chosen(insertion_points(visual), config)
        self.config = config
        self.names = tuple(point.name for point in chosen)
        self.layers = nn.ModuleList(
            Bottleneck(p.inputs, config.width, p.outputs, channels_first=p.channels_first)
            for p in chosen
        )
        self._pass = Pass.ADAPTED
        self._read: Tensor | None = None
        self._hooks: list[RemovableHandle] = []
        for number, point in enumerate(chosen):
            self._attach(number, point)

    def detach(self) -> None:
        """Take the adapter off; the tower is then what it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Passes within leave the adapter out."""
        with self._passes(Pass.FROZEN):
            yield

    @contextmanager
    def both(self) -> Iterator[None]:
        """Passes within give the rows of the frozen tower, then those of the adapted one."""
        with self._passes(Pass.BOTH):
            yield

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"{self.config}"

    @contextmanager
    def _passes(self, kind: Pass) -> Iterator[None]:
        before, self._pass = self._pass, kind
        try:
            yield
        finally:
            self._pass, self._read = before, None

    def _attach(self, number: int, point: InsertionPoint) -> None:
        def read(_module: nn.Module, args: tuple[Any, ...]) -> None:
            if self._pass is not Pass.FROZEN and self._read is None:
                self._read = args[0]

        def add(_module: nn.Module, _args: tuple[Any, ...], output: Tensor) -> Tensor | None:
            x, self._read = self._read, None
            return output if x is None else self._add(number, point, x, output)

        for start in point.starts:
            self._hooks.append(start.register_forward_pre_hook(read))
        self._hooks.append(point.end.register_forward_hook(add))

    def _add(self, number: int, point: InsertionPoint, x: Tensor, output: Tensor) -> Tensor:
        if self._pass is Pass.ADAPTED:
            adapted: Tensor = output + self.config.scale * self.layers[number](x)
            return adapted
        if number == 0:
            # Up to here both passes are the same one.
            added = self.config.scale * self.layers[number](x)
            return torch.cat([output, output + added], dim=point.batch_dim)
        frozen, rest = output.chunk(2, dim=point.batch_dim)
        added = self.config.scale * self.layers[number](x.chunk(2, dim=point.batch_dim)[1])
        return torch.cat([frozen, rest + added], dim=point.batch_dim)


def attach(visual: nn.Module, config: BottleneckConfig | None = None) -> BottleneckAdapter:
    """Attach an untrained adapter to an image tower; the tower's answers do not change by that.

    Args:
        visual: Image tower of an open_clip model; see
            :func:`adapters.corrections.bottleneck.insertion_points.insertion_points`.
        config: The paper's settings by default.

    Raises:
        NoInsertionPointError: The tower has no blocks of a known kind, or not the ones asked for.
    """
    adapter = BottleneckAdapter(visual, config or BottleneckConfig())
    reference = next(visual.parameters())
    return adapter.to(reference.device, reference.dtype)


def _chosen(every: list[InsertionPoint], config: BottleneckConfig) -> list[InsertionPoint]:
    if config.places is None:
        return every
    if unknown := [number for number in config.places if not 0 <= number < len(every)]:
        raise NoInsertionPointError(
            f"there is no place {unknown[0]}; this image tower has 0 to {len(every) - 1}"
        )
    return [every[number] for number in sorted(config.places)]
