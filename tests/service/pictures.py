"""Pictures to post: patches of photographs that ship with scikit-image, and made ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import cache

import numpy as np
import skimage.data
from PIL import Image

TEXTURES = ("brick", "grass", "gravel")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(seed: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    """A picture that no other seed gives."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


def picture(seed: int, kind: str = "PNG") -> bytes:
    """A small image file that no other seed gives."""
    return encoded(noise(seed), kind)


@cache
def patches(texture: str, side: int = 128) -> list[bytes]:
    """The photograph of brick, grass or gravel, cut into squares that do not overlap."""
    photograph = Image.fromarray(getattr(skimage.data, texture)())
    places = range(0, 512 - side + 1, side)
    return [
        encoded(photograph.crop((left, top, left + side, top + side)))
        for top in places
        for left in places
    ]


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
