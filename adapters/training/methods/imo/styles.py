"""The same picture drawn in another way: what an adapter learns to see through.

Each function takes an RGB image to one of the same size, and draws from PyTorch's generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageEnhance, ImageFilter
from scipy.ndimage import gaussian_filter
from torchvision.transforms import v2

Style = Callable[[Image.Image], Image.Image]

_LIGHT = v2.ColorJitter(0.4, 0.4, 0.4)
_HUE = v2.ColorJitter(hue=0.5)
_BLUR = v2.GaussianBlur(13, (0.5, 3.0))
_TONES = v2.RandomChoice(
    [
        v2.RandomSolarize(128, 1.0),
        v2.RandomEqualize(1.0),
        v2.RandomInvert(1.0),
        v2.RandomAutocontrast(1.0),
    ]
)


def light(image: Image.Image) -> Image.Image:
    """Another brightness, contrast and saturation."""
    changed: Image.Image = _LIGHT(image)
    return changed


def hue(image: Image.Image) -> Image.Image:
    """All colours turned around the wheel."""
    changed: Image.Image = _HUE(image)
    return changed


def grey(image: Image.Image) -> Image.Image:
    """No colour, another contrast."""
    return ImageEnhance.Contrast(image.convert("L").convert("RGB")).enhance(_between(0.6, 1.8))


def tones(image: Image.Image) -> Image.Image:
    """Solarised, equalised, inverted or stretched."""
    changed: Image.Image = _TONES(image)
    return changed


def channels(image: Image.Image) -> Image.Image:
    """Colour channels mixed at random, another gamma."""
    mix = 0.5 * torch.eye(3) + torch.rand(3, 3)
    mixed = _unit(image) @ (mix / mix.sum(dim=1, keepdim=True)).T.numpy()
    return _image(mixed ** _between(0.6, 1.6))


def blurred(image: Image.Image) -> Image.Image:
    """Out of focus."""
    changed: Image.Image = _BLUR(image)
    return changed


def coarse(image: Image.Image) -> Image.Image:
    """As a small picture enlarged."""
    side = int(torch.randint(28, 113, ()))
    return image.resize((side, side), Image.Resampling.BICUBIC).resize(
        image.size, Image.Resampling.BICUBIC
    )


def pencil(image: Image.Image) -> Image.Image:
    """Shaded with a pencil: brightness beside that of the surroundings."""
    grey = _unit(image.convert("L"))
    around = gaussian_filter(1 - grey, _between(2, 9))
    return _image((grey / (1 - around + 1e-3)).clip(0, 1) ** _between(1, 4))


def lines(image: Image.Image) -> Image.Image:
    """Contours in ink: a difference of Gaussians through a soft threshold (Winnemöller, 2011)."""
    grey = _unit(image.convert("L"))
    width = _between(0.7, 2.0)
    edge = gaussian_filter(grey, width) - _between(0.95, 1) * gaussian_filter(grey, 1.6 * width)
    edge += _between(0, 0.02)
    return _image(np.where(edge > 0, 1, 1 + np.tanh(_between(20, 200) * edge)))


def flat(image: Image.Image) -> Image.Image:
    """A few strong colours in plain areas, half of the time with inked contours."""
    smooth = _half(image).filter(ImageFilter.MedianFilter(3))
    strong = ImageEnhance.Color(smooth).enhance(_between(1, 2.2))
    colours = strong.quantize(_one_of(4, 6, 8, 12, 16, 24), dither=Image.Dither.NONE)
    plain = colours.convert("RGB").resize(image.size, Image.Resampling.BICUBIC)
    return ImageChops.multiply(plain, lines(image)) if torch.rand(()) < 0.5 else plain


def painted(image: Image.Image) -> Image.Image:
    """In brush strokes: the most frequent value around, at half the resolution."""
    strokes = _half(image).filter(ImageFilter.ModeFilter(_one_of(3, 5)))
    return light(strokes.resize(image.size, Image.Resampling.BICUBIC))


STYLES: tuple[Style, ...] = (
    light,
    hue,
    grey,
    tones,
    channels,
    blurred,
    coarse,
    pencil,
    lines,
    flat,
    flat,
    painted,
)
"""Each as likely as the next; the flat style is in twice."""


def restyled(image: Image.Image) -> Image.Image:
    """The image in one of the `STYLES`."""
    return STYLES[int(torch.randint(len(STYLES), ()))](image)


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _one_of(*values: int) -> int:
    return values[int(torch.randint(len(values), ()))]


def _half(image: Image.Image) -> Image.Image:
    # Rank filters and palettes cost much for each pixel.
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def _unit(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image).astype(np.float32) / np.float32(255)


def _image(values: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray((255 * values.clip(0, 1)).astype(np.uint8)).convert("RGB")
