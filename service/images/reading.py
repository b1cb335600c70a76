"""Reads images for training, as the service reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PIL import Image

from service.images.decoding import decode


def training_reader(max_pixels: int) -> Callable[[bytes, int | None], Image.Image]:
    """Return what reads a training image: the file, and the pixels that both sides keep at least.

    It can be pickled, for the processes that prepare examples.

    Args:
        max_pixels: Images with more are not read.
    """
    return partial(_read, max_pixels)


def _read(max_pixels: int, content: bytes, least: int | None) -> Image.Image:
    return decode(content, max_pixels, least=least).pixels
