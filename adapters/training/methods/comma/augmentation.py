"""Random crops and flips of the few images that prompts are trained on."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose, RandomHorizontalFlip, RandomResizedCrop
from torchvision.transforms import InterpolationMode as Mode


def augmented(
    preprocess: Callable[[Image.Image], Tensor], side: int | tuple[int, int]
) -> Callable[[Image.Image], tuple[Tensor, ...]]:
    """Return the authors' augmentation followed by a backbone's preprocessing.

    Args:
        preprocess: An RGB image to (3, H, W).
        side: Of a crop, in pixels: what the image tower takes.
    """
    crop = Compose([RandomResizedCrop(side, interpolation=Mode.BICUBIC), RandomHorizontalFlip()])

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return (preprocess(crop(image)),)

    return transform
