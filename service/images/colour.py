"""Colour management: pictures of other colour spaces in sRGB, by their ICC profile (ICC.1:2022)."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

_SPACES: dict[str, Literal["RGB", "CMYK"]] = {"RGB": "RGB", "CMYK": "CMYK"}
_MOST_TRANSFORMS = 64
_STEPS = 9
# Of 255. Profiles of sRGB differ that much from each other, and nobody sees it.
_SAME = 2


class Colours:
    """Converts pictures to sRGB, with an LRU cache of ICC transforms. Thread-safe."""

    def __init__(self, most: int = _MOST_TRANSFORMS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._transforms: OrderedDict[tuple[bytes, str], ImageCms.ImageCmsTransform | None]
        self._transforms = OrderedDict()

    def to_srgb(self, image: Image.Image, profile: bytes | None) -> Image.Image:
        """Return the picture in sRGB.

        Args:
            image: RGB or CMYK.
            profile: What its numbers mean. None, a damaged one, one of another kind of colours
                and one that is sRGB in effect leave the numbers of an RGB picture as they are.
        """
        transform = self._transform(profile, image.mode) if profile else None
        if transform is None:
            return image if image.mode == "RGB" else image.convert("RGB")
        return transform.apply(image)

    def changes(self, profile: bytes | None, mode: str) -> bool:
        """Whether a picture of this mode becomes another one by this profile."""
        return profile is not None and self._transform(profile, mode) is not None

    def _transform(self, profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        if len(profile) < 128 or _SPACES.get(profile[16:20].strip().decode("latin-1")) != mode:
            return None
        key = (hashlib.sha256(profile).digest(), mode)
        with self._lock:
            if key in self._transforms:
                self._transforms.move_to_end(key)
                return self._transforms[key]
        # Outside of the lock: a slow profile holds up nobody else.
        made = _made(profile, mode)
        with self._lock:
            self._transforms[key] = made
            while len(self._transforms) > self._most:
                self._transforms.popitem(last=False)
        return made


def _made(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB":
            lattice = _lattice()
            moved = np.asarray(transform.apply(lattice), np.int16) - np.asarray(lattice, np.int16)
            if np.abs(moved).max() <= _SAME:
                return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform


def _lattice() -> Image.Image:
    """Colours from all of the cube, as a picture of one row."""
    steps = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(1, -1, 3))
