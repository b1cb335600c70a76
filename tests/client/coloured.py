"""Small pictures whose class is their colour."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.service.pictures import encoded

COLOURS = {"blue": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}


def coloured(colour: str, seed: int) -> bytes:
    """A picture of that colour that no other seed gives."""
    pixels = np.random.default_rng(seed).normal(COLOURS[colour], 40, (40, 40, 3))
    return encoded(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
