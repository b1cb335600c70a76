"""A folder of small images whose class is their colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from service.training.training_images import TrainingImages

COLOURS = {"blue": (40, 40, 200), "green": (40, 200, 40), "red": (200, 40, 40)}


def write_coloured(folder: Path, each: int, noise: float = 50.0) -> Path:
    """Write ``folder/COLOUR/NUMBER.png``; return the folder."""
    rng = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = rng.normal(colour, noise, (40, 48, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    return folder


def coloured_images(folder: Path) -> TrainingImages:
    """The images of such a folder, in order."""
    paths = tuple(path for label in COLOURS for path in sorted((folder / label).iterdir()))
    numbers = {label: number for number, label in enumerate(COLOURS)}
    return TrainingImages(paths, tuple(numbers[path.parent.name] for path in paths), tuple(COLOURS))
