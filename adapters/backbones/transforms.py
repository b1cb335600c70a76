"""Geometric transforms and normalisation as plain values, for whoever frames without torchvision.

The names of the steps, and what they make of a picture, are those of ``torchvision.transforms``,
so that :class:`adapters.backbones.framing.Framing` takes either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from adapters.backbones.bounded import ShorterSide


@dataclass(frozen=True, slots=True)
class Resize:
    """Resizes the shorter side, keeping the ratio.

    Attributes:
        geometry: To what.
        max_size: Of the longer side: any.
    """

    geometry: ShorterSide
    max_size: None = None

    @property
    def size(self) -> int:
        """Pixels of the shorter side."""
        return self.geometry.side

    @property
    def interpolation(self) -> Image.Resampling:
        """How it is resized."""
        return self.geometry.interpolation

    def __call__(self, image: Image.Image) -> Image.Image:
        """Resize a picture; the same one where it has that size."""
        size = self.geometry.resized(image.size)
        return image if image.size == size else image.resize(size, self.interpolation)


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """Cuts out the centre of a picture that is at least as large.

    Attributes:
        size: Height and width.
    """

    size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        """Cut it out."""
        height, width = self.size
        top, left = round((image.height - height) / 2), round((image.width - width) / 2)
        return image.crop((left, top, left + width, top + height))


@dataclass(frozen=True, slots=True)
class ToTensor:
    """Stands for the step between pictures and numbers."""


@dataclass(frozen=True, slots=True)
class Normalize:
    """Normalisation of pixels in 0..1.

    Attributes:
        mean: Of each channel.
        std: Of each channel.
    """

    mean: Sequence[float]
    std: Sequence[float]


@dataclass(frozen=True, slots=True)
class Transforms:
    """Preprocessing: the steps from a picture to normalised pixels.

    Attributes:
        transforms: The steps.
    """

    transforms: Sequence[object]

    @classmethod
    def of(cls, geometry: ShorterSide, mean: Sequence[float], std: Sequence[float]) -> Transforms:
        """To resize the shorter side, cut out the centre and normalise."""
        crop = CenterCrop((geometry.height, geometry.width))
        return cls((Resize(geometry), crop, ToTensor(), Normalize(mean, std)))
