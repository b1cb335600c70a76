"""Crops of another size than an image tower was made for."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate

Resize = Callable[[Tensor, int], Tensor]

_POSITIONS = "positional_embedding"
_SMALL = 96 / 224
"""Side of DINO's small crops as a share of the large ones' (Caron et al., ICCV 2021)."""


def small_side(encoder: nn.Module, size: int) -> int:
    """Choose the side of small crops, in pixels.

    About 96 for a tower of 224: a multiple of the patches for open_clip's ViT, whose position
    embeddings are interpolated. A tower that takes its own size alone, as timm's ViTs do, gets
    small crops that are enlarged.

    Args:
        encoder: The tower.
        size: Side of the images that it was made for.
    """
    if _positions(encoder) is not None:
        patch = encoder.get_parameter("conv1.weight").shape[-1]
        return max(1, round(size * _SMALL / patch)) * patch
    # Only a ViT has position embeddings; a convolutional tower pools whatever there is.
    fixed = any(
        name.rpartition(".")[2] in {"pos_embed", _POSITIONS}
        for name, _ in encoder.named_parameters()
    )
    return size if fixed or hasattr(encoder, "patch_embed") else round(size * _SMALL)


def encode(encoder: nn.Module, pixels: Tensor, resize: Resize | None = None) -> Tensor:
    """Embed images of any size that `small_side` or the tower's own gives.

    Args:
        encoder: The tower.
        pixels: (n, 3, H, H).
        resize: How position embeddings (1, width, side, side) are brought to another side;
            `smoothed` by default.

    Returns:
        The (n, width) embeddings.
    """
    positions = _positions(encoder)
    if positions is None:
        embeddings: Tensor = encoder(pixels)
        return embeddings
    patch = encoder.get_parameter("conv1.weight").shape[-1]
    side, before = pixels.shape[-1] // patch, math.isqrt(len(positions) - 1)
    if side == before:
        return encoder(pixels)  # type: ignore[no-any-return]
    grid = positions[1:].T.reshape(1, -1, before, before)
    resized = (resize or smoothed)(grid.float(), side)
    tokens = resized.flatten(2)[0].T.to(positions.dtype)
    replaced = {_POSITIONS: positions.new_empty(1 + side * side, positions.shape[1])}
    replaced[_POSITIONS][0], replaced[_POSITIONS][1:] = positions[0], tokens
    return functional_call(encoder, replaced, (pixels,))  # type: ignore[no-any-return]


def smoothed(grid: Tensor, side: int) -> Tensor:
    """Position embeddings of another side as open_clip loads them: bicubic, without aliases."""
    return interpolate(grid, (side, side), mode="bicubic", antialias=True)


def as_dino(grid: Tensor, side: int) -> Tensor:
    """Position embeddings of another side as in DINO's code: bicubic, by a factor a bit larger."""
    factor = (side + 0.1) / grid.shape[-1]
    return interpolate(grid, scale_factor=(factor, factor), mode="bicubic")


def _positions(encoder: nn.Module) -> Tensor | None:
    """The position embeddings of open_clip's ViT, (1 + patches, width), the class token first."""
    found = dict(encoder.named_parameters(recurse=False)).get(_POSITIONS)
    return found.detach() if found is not None and hasattr(encoder, "conv1") else None
