"""Images to measure with: cut from scikit-image's photographs, which come with the package."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "brick", "grass", "gravel")
SIDE = 224
CLASSES, SHOTS = 10, 16
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}


@cache
def photographs() -> tuple[Image.Image, ...]:
    """The photographs, between 300 and 512 pixels high."""
    return tuple(Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in NAMES)


def patch(rng: np.random.Generator, photograph: Image.Image, side: int = SIDE) -> Image.Image:
    """A random square of a photograph, pixel by pixel."""
    x, y = (int(rng.integers(0, length - side + 1)) for length in photograph.size)
    return photograph.crop((x, y, x + side, y + side))


def mosaic(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """An image of any size with the detail of a photograph: patches beside each other."""
    image = Image.new("RGB", (width, height))
    for x in range(0, width, SIDE):
        for y in range(0, height, SIDE):
            photograph = photographs()[int(rng.integers(len(NAMES)))]
            image.paste(patch(rng, photograph), (x, y))
    return image


def encoded(image: Image.Image, form: str = "JPEG") -> bytes:
    """The file of an image; JPEGs at quality 90."""
    buffer = io.BytesIO()
    image.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}))
    return buffer.getvalue()


def queries(count: int = 64, seed: int = 0) -> list[bytes]:
    """Different JPEGs of 224 pixels."""
    rng = np.random.default_rng(seed)
    return [encoded(patch(rng, photographs()[i % len(NAMES)])) for i in range(count)]


def support(classes: int = CLASSES, shots: int = SHOTS) -> dict[str, bytes]:
    """Labelled JPEGs of 224 pixels, by ``LABEL/NAME.jpg``."""
    rng = np.random.default_rng(1)
    return {
        f"class {label}/{shot}.jpg": encoded(patch(rng, photographs()[label % len(NAMES)]))
        for label in range(classes)
        for shot in range(shots)
    }


def write_support(folder: Path) -> None:
    """The support images as a folder of folders."""
    for name, content in support().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def zipped_support() -> bytes:
    """The support images as a zip."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, content in support().items():
            zipped.writestr(name, content)
    return archive.getvalue()
