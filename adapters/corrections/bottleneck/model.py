"""A bottleneck adapter, ``s · Up(ReLU(Down(x)))``, attached to an image tower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from adapters.backbone_errors import NoInsertionPointError
from adapters.corrections.bottleneck.config import BottleneckConfig
from adapters.corrections.bottleneck.insertion_points import InsertionPoint, insertion_points


class Bottleneck(nn.Module):
    """A bottleneck beside one block of a tower (AdaptFormer, Chen et al., NeurIPS 2022).

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


class ForwardMode(Enum):
    """The mode of a forward pass through the tower: which embeddings it computes."""

    ADAPTED = "adapted"
    FROZEN = "frozen"
    BOTH = "both"


class BottleneckAdapter(nn.Module):
    """A bottleneck adapter on blocks of an image tower (Kravets & Namboodiri, BMVC 2024).

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
        self._mode = ForwardMode.ADAPTED
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
        with self._in_mode(ForwardMode.FROZEN):
            yield

    @contextmanager
    def both(self) -> Iterator[None]:
        """Passes within give the rows of the frozen tower, then those of the adapted one."""
        with self._in_mode(ForwardMode.BOTH):
            yield

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"{self.config}"

    @contextmanager
    def _in_mode(self, mode: ForwardMode) -> Iterator[None]:
        before, self._mode = self._mode, mode
        try:
            yield
        finally:
            self._mode, self._read = before, None

    def _attach(self, number: int, point: InsertionPoint) -> None:
        def read(_module: nn.Module, args: tuple[Any, ...]) -> None:
            if self._mode is not ForwardMode.FROZEN and self._read is None:
                self._read = args[0]

        def add(_module: nn.Module, _args: tuple[Any, ...], output: Tensor) -> Tensor | None:
            x, self._read = self._read, None
            return output if x is None else self._add(number, point, x, output)

        for start in point.starts:
            self._hooks.append(start.register_forward_pre_hook(read))
        self._hooks.append(point.end.register_forward_hook(add))

    def _add(self, number: int, point: InsertionPoint, x: Tensor, output: Tensor) -> Tensor:
        if self._mode is ForwardMode.ADAPTED:
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
        return [point for point in every if not point.pooled]
    if unknown := [number for number in config.places if not 0 <= number < len(every)]:
        raise NoInsertionPointError(
            f"there is no place {unknown[0]}; this image tower has 0 to {len(every) - 1}"
        )
    return [every[number] for number in sorted(config.places)]
