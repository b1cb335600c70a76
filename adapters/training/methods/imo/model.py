"""The frozen image tower that an adapter is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from adapters.backbones import DualEncoder


@dataclass(frozen=True, slots=True)
class Tower:
    """An image tower, and what it takes in.

    Attributes:
        name: Of the backbone.
        visual: The whole tower: what adapters are attached to and fingerprints are taken of.
        encoder: The part of it whose output is compared with that of other images. All of it,
            except for `lite`, which compares images by what is pooled before the projection.
        projection: Turns that output into the joint embedding; an identity where it is that.
        width: Of that output.
        size: Pixels of a side of the images it takes.
        mean: Of each channel, that pixels are normalised with.
        std: Of each channel.
    """

    name: str
    visual: nn.Module
    encoder: nn.Module
    projection: nn.Module
    width: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def image_tower(encoder: DualEncoder) -> Tower:
    """The image tower of a dual encoder, frozen."""
    return tower_of(encoder.name, encoder.visual, encoder.corrected_tower, encoder.projection)


def tower_of(
    name: str, visual: nn.Module, encoder: nn.Module, projection: nn.Module | None = None
) -> Tower:
    """Freeze an open_clip image tower and describe it.

    Args:
        name: Of the backbone.
        visual: The tower, with the ``preprocess_cfg`` that open_clip leaves on it.
        encoder: It, or the part of it whose output is compared.
        projection: The rest of it, if there is one.
    """
    # Convolutions on CPUs are twice as fast in this layout.
    visual.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    config: dict[str, Any] = visual.preprocess_cfg  # type: ignore[assignment]
    size = config["size"] if isinstance(config["size"], int) else min(config["size"])
    with torch.no_grad():
        width = encoder(torch.zeros(1, 3, size, size)).shape[1]
    rest = nn.Identity() if projection is None else projection
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return Tower(name, visual, encoder, rest, width, size, mean, std)
