"""How images are changed for training, with torchvision's transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image, ImageFilter
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


def as_it_is(tower: Tower) -> Transform:
    """The middle of the image with values in [0, 1], not normalised: what the authors train on.

    Returns:
        An image to its pixels (3, H, H).
    """
    made = v2.Compose([_middle(tower.size), *_tensor()])

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return (made(image),)

    return transform


def plain_and_restyled(tower: Tower) -> Transform:
    """The image as the service would see it, and a restyled crop of it: what distillation takes.

    Returns:
        An image to its pixels and those of the crop, each (3, H, H).
    """
    plain = v2.Compose([_middle(tower.size), *_normalised(tower)])
    crop = v2.Compose(_crop(tower.size, (0.35, 1.0)))
    tensors = v2.Compose(_normalised(tower))

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return plain(image), tensors(restyled(crop(image)))

    return transform


def _blur() -> Any:
    # Wide enough for three standard deviations to each side.
    return v2.GaussianBlur(13, (0.1, 2.0))


class PillowBlur:
    """Pillow's Gaussian blur by a radius of 0.1 to 2, as DINO's code has it."""

    def __call__(self, image: Image.Image) -> Image.Image:
        """Blur an image."""
        radius = float(torch.empty(()).uniform_(0.1, 2.0))
        return image.filter(ImageFilter.GaussianBlur(radius))


@dataclass(frozen=True, slots=True)
class DinoCrops:
    """Which crops of an image DINO compares (Caron et al., ICCV 2021).

    Attributes:
        large: Share of the image that a large crop has, from and to.
        small: The same of a small one.
        number: Of small crops.
        blur: How crops are blurred.
        normalised: Mean and standard deviation of each channel; None: the tower's.
    """

    large: tuple[float, float] = (0.4, 1.0)
    small: tuple[float, float] = (0.05, 0.4)
    number: int = 8
    blur: Callable[[Image.Image], Image.Image] = field(default_factory=_blur)
    normalised: tuple[tuple[float, ...], tuple[float, ...]] | None = None


def many_crops(tower: Tower, small_side: int, crops: DinoCrops | None = None) -> Transform:
    """DINO's crops: two large ones and several small ones.

    Args:
        tower: What the crops are for.
        small_side: Pixels of a side of a small crop.
        crops: DINO's own by default.

    Returns:
        An image to its large crops (2, 3, H, H) and its small ones (number, 3, h, h).
    """
    crops = crops or DinoCrops()
    tensors = _normalised(tower, crops.normalised)
    large = [*_crop(tower.size, crops.large), *_colours()]
    first = v2.Compose([*large, crops.blur, *tensors])
    second = v2.Compose(
        [*large, v2.RandomApply([crops.blur], 0.1), v2.RandomSolarize(128, 0.2), *tensors]
    )
    few = v2.Compose(
        [
            *_crop(small_side, crops.small),
            *_colours(),
            v2.RandomApply([crops.blur], 0.5),
            *tensors,
        ]
    )

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        pair = torch.stack([first(image), second(image)])
        if not crops.number:
            return (pair,)
        return pair, torch.stack([few(image) for _ in range(crops.number)])

    return transform


def _middle(side: int) -> Bounded:
    return Bounded([v2.Resize(side, interpolation=InterpolationMode.BICUBIC), v2.CenterCrop(side)])


def _crop(side: int, area: tuple[float, float]) -> list[Any]:
    return [
        v2.RandomResizedCrop(side, area, interpolation=InterpolationMode.BICUBIC),
        v2.RandomHorizontalFlip(),
    ]


def _colours() -> list[Any]:
    return [v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8), v2.RandomGrayscale(0.2)]


def _tensor() -> list[Any]:
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor()]


def _normalised(
    tower: Tower, by: tuple[tuple[float, ...], tuple[float, ...]] | None = None
) -> list[Any]:
    mean, std = by or (tower.mean, tower.std)
    return [*_tensor(), v2.Normalize(list(mean), list(std))]
