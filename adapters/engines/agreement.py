"""Numerical agreement: whether an engine computes what the reference computes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from adapters.engines.inference_engine import Engine
from adapters.recipe import Precision

LEAST_COSINE = 0.9995
"""Of an embedding with that of the reference, for the worst of the probes."""
LEAST_ROUNDED_MEDIAN = 0.8
"""The same in less than float32, for the median of the probes.

Rounding adds up, most on flat pictures, and is no defect: of `lite`, the embeddings of plain grey
in float32 and in bfloat16 have a cosine of 0.40, and the median of the probes is 0.996 (0.91 in
int8). Embeddings of different pictures, or of another model, are further apart. What rounding
does to accuracy is measured by itself.
"""


def probes(height: int, width: int) -> Tensor:
    """(8, height, width, 3) uint8 pictures, always the same: from flat and smooth to noise.

    Flat ones with a few lines are the hardest: little is left of them after a few layers, and
    rounding then weighs most.
    """
    generator = torch.Generator().manual_seed(0)
    pictures = []
    for cells in (2, 5, 13, 40, min(height, width)):
        noise = torch.rand(1, 3, cells, cells, generator=generator)
        pictures.append(interpolate(noise, (height, width), mode="bilinear")[0])
    lines = torch.ones(3, height, width)
    lines[:, height // 3, :] = lines[:, :, width // 4] = 0
    pictures += [lines, torch.full_like(lines, 0.5), 1 - lines]
    return (255 * torch.stack(pictures)).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def agreement(
    engine: Engine,
    expected: Sequence[Tensor],
    pixels: Tensor,
    precision: Precision = "float32",
) -> float:
    """How well an engine agrees: a cosine of its embeddings with those expected.

    Looked at one by one and all at once, because an engine may take different ways for these.

    Args:
        engine: Under test.
        expected: Both embeddings, (n, ·) unit rows each.
        pixels: (n, H, W, 3) uint8.
        precision: That the engine computes in.

    Returns:
        NaN if any value is not a number.
    """
    worst = [
        likeness(found, wanted, precision)
        for rows in (one_by_one(engine, pixels), engine(pixels))
        for found, wanted in zip(rows, expected, strict=True)
    ]
    return float(torch.stack(worst).min())


def likeness(found: Tensor, wanted: Tensor, precision: Precision = "float32") -> Tensor:
    """The lowest cosine of n embeddings with those expected; the median, if they are rounded.

    Args:
        found: (n, d) unit rows.
        wanted: (n, d) unit rows in float32.
        precision: That they were computed in.
    """
    cosines = (found * wanted).sum(dim=1)
    return cosines.min() if precision == "float32" else cosines.median()


def one_by_one(engine: Engine, pixels: Tensor) -> list[Tensor]:
    """Both embeddings of (n, H, W, 3) uint8 pixels, each image in a pass of its own."""
    answers = [engine(image) for image in torch.split(pixels, 1)]
    return [torch.cat(rows) for rows in zip(*answers, strict=True)]


class DisagreementError(RuntimeError):
    """An engine computes something else than the reference."""


def checked(
    engine: Engine, expected: Sequence[Tensor], pixels: Tensor, precision: Precision = "float32"
) -> Engine:
    """Return the engine, if it agrees as well as its precision lets it.

    Raises:
        DisagreementError: It does not.
    """
    require(agreement(engine, expected, pixels, precision), precision)
    return engine


def require(found: float, precision: Precision = "float32") -> None:
    """See that a cosine is as high as a precision lets it be.

    Raises:
        DisagreementError: It is lower, or not a number.
    """
    least = LEAST_COSINE if precision == "float32" else LEAST_ROUNDED_MEDIAN
    if not found >= least:  # NaN, too, is a disagreement
        raise DisagreementError(
            f"its embeddings differ from PyTorch's (cosine {found:.5f}, at least {least})"
        )
