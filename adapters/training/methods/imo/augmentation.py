"""How images are changed for training, with torchvision's transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode

from adapters.backbones.bounded import Bounded
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.styles import restyled

Transform = Callable[[Image.Image], tuple[Tensor, ...]]


def one_crop(tower: Tower) -> Transform:
    """One crop of at least half of the image, perhaps mirrored: what a classifier learns from.

    Returns:
        An image to its pixels (3, H, H).
    """
    made = v2.Compose([*_crop(tower.size, (0.5, 1.0)), *_normalised(tower)])

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return (made(image),)

    return transform


def plain_and_restyled(tower: Tower) -> Transform:
    """The image as the service would see it, and a restyled crop of it: what distillation takes.

    Returns:
        An image to its pixels and those of the crop, each (3, H, H).
    """
    plain = v2.Compose(
        [
            Bounded(
                [
                    v2.Resize(tower.size, interpolation=InterpolationMode.BICUBIC),
                    v2.CenterCrop(tower.size),
                ]
            ),
            *_normalised(tower),
        ]
    )
    crop = v2.Compose(_crop(tower.size, (0.35, 1.0)))
    tensors = v2.Compose(_normalised(tower))

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return plain(image), tensors(restyled(crop(image)))

    return transform


def many_crops(tower: Tower, small_side: int, small: int = 8) -> Transform:
    """DINO's crops: two large ones and several small ones (Caron et al., ICCV 2021).

    Args:
        tower: What the crops are for.
        small_side: Pixels of a side of a small crop.
        small: How many there are.

    Returns:
        An image to its large crops (2, 3, H, H) and its small ones (small, 3, h, h).
    """
    first = v2.Compose([*_large(tower), _blur(), *_normalised(tower)])
    second = v2.Compose(
        [
            *_large(tower),
            v2.RandomApply([_blur()], 0.1),
            v2.RandomSolarize(128, 0.2),
            *_normalised(tower),
        ]
    )
    few = v2.Compose(
        [
            *_crop(small_side, (0.05, 0.4)),
            *_colours(),
            v2.RandomApply([_blur()], 0.5),
            *_normalised(tower),
        ]
    )

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        large = torch.stack([first(image), second(image)])
        return (large, torch.stack([few(image) for _ in range(small)])) if small else (large,)

    return transform


def _large(tower: Tower) -> list[Any]:
    return [*_crop(tower.size, (0.4, 1.0)), *_colours()]


def _crop(side: int, area: tuple[float, float]) -> list[Any]:
    return [
        v2.RandomResizedCrop(side, area, interpolation=InterpolationMode.BICUBIC),
        v2.RandomHorizontalFlip(),
    ]


def _colours() -> list[Any]:
    return [v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8), v2.RandomGrayscale(0.2)]


def _blur() -> Any:
    # Wide enough for three standard deviations to each side.
    return v2.GaussianBlur(13, (0.1, 2.0))


def _normalised(tower: Tower) -> list[Any]:
    return [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(list(tower.mean), list(tower.std)),
        v2.ToPureTensor(),
    ]
