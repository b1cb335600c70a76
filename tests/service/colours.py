"""A data set of four colours, as folders."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image

COLOURS = {"blue_sea": "navy", "GreenField": "green", "red-wall": "red", "white snow": "white"}


def coloured(colour: str, seed: int) -> Image.Image:
    """A picture of one colour with some noise."""
    generator = random.Random(f"{colour}/{seed}")
    image = Image.new("RGB", (48, 40), colour)
    for _ in range(60):
        place = generator.randrange(48), generator.randrange(40)
        image.putpixel(place, tuple(generator.randrange(256) for _ in range(3)))
    return image


def write_colours(folder: Path) -> Path:
    """Write ``train/CLASS/*`` and ``test/CLASS/*``; return the folder."""
    for split, numbers in (("train", range(4)), ("test", range(4, 7))):
        for label, colour in COLOURS.items():
            (folder / split / label).mkdir(parents=True)
            for number in numbers:
                coloured(colour, number).save(folder / split / label / f"{number}.png")
    return folder
