"""Preprocessing that costs no more than the picture has pixels, whatever its shape.

To resize the shorter side and cut out the centre makes of 1 x 20 000 pixels a picture of a
thousand million first, nearly all of which is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from PIL import Image

THIN = 4
"""From this many times the shorter side on, a picture is thin."""


@dataclass(frozen=True, slots=True)
class ShorterSide:
    """To resize the shorter side, keeping the ratio, and to cut out the centre.

    Attributes:
        side: Pixels that the shorter side gets.
        width: Of the centre; no more than the side.
        height: Of the centre; no more than the side.
        interpolation: How it is resized.
    """

    side: int
    width: int
    height: int
    interpolation: Image.Resampling

    @classmethod
    def known(cls, steps: Sequence[Any]) -> ShorterSide | None:
        """Recognise it in torchvision's transforms of pictures; None where they do something else.

        Args:
            steps: As open_clip gives them; what turns pictures into RGB ones is passed over.
        """
        steps = [step for step in steps if "convert" not in _name(step)]
        if [_name(step) for step in steps] != ["resize", "centercrop"]:
            return None
        resize, crop = steps
        sides = [resize.size] if isinstance(resize.size, int) else list(resize.size)
        height, width = crop.size
        if len(sides) != 1 or resize.max_size is not None or max(height, width) > sides[0]:
            return None
        interpolation = Image.Resampling[resize.interpolation.name]
        return cls(sides[0], width, height, interpolation)

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a picture of this size once its shorter side is resized."""
        short, long = min(size), max(size)
        longer = int(self.side * long / short)
        return (self.side, longer) if size[0] <= size[1] else (longer, self.side)

    def centre(self, image: Image.Image) -> Image.Image:
        """Resize the centre alone, at the same places: the same pixels as of the whole.

        But for some levels in places: Pillow resizes rows first or columns, what costs less, and
        rounds in between.
        """
        box: list[float] = []
        for whole, resized, kept in zip(
            image.size, self.resized(image.size), (self.width, self.height), strict=True
        ):
            start = round((resized - kept) / 2)
            box.append(start * whole / resized)
            box.append(min(whole, (start + kept) * whole / resized))
        left, right, top, bottom = box
        return image.resize(
            (self.width, self.height),
            self.interpolation,
            (left, top, right, bottom),
        )


class Bounded:
    """Transforms of a picture, of which a thin one takes a way that costs less.

    Where they resize the shorter side and cut out the centre, only the centre is resized
    (:meth:`ShorterSide.centre`). Those that fit the longer side, or both, make nothing large. All
    else gets the middle of a thin picture.

    Args:
        steps: torchvision's or open_clip's, from a PIL image to another one.

    Attributes:
        shorter_side: What they do, where it is that.
    """

    def __init__(self, steps: Sequence[Any]) -> None:
        self._steps = tuple(steps)
        self._longest = max([_longest(step) for step in steps], default=THIN)
        self.shorter_side = ShorterSide.known(steps)

    def __call__(self, image: Image.Image) -> Image.Image:
        """Apply them to an RGB image."""
        if max(image.size) > self._longest * min(image.size):
            if self.shorter_side is not None:
                return self.shorter_side.centre(image)
            image = _middle(image, int(self._longest))
        for step in self._steps:
            image = step(image)
        return image


def _longest(step: Any) -> float:
    """How many times its shorter side a picture may be long."""
    if _name(step) == "resize" and not isinstance(step.size, int) and len(step.size) == 2:
        return inf
    if _name(step) == "resizekeepratio" and step.longest == 1:
        # Beyond that nothing would be left of its shorter side.
        return float(max(THIN, *step.size))
    return THIN


def _middle(image: Image.Image, longest: int) -> Image.Image:
    width, height = (min(side, longest * min(image.size)) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _name(step: Any) -> str:
    return getattr(step, "__name__", type(step).__name__).lower()
