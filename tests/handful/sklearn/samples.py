"""Samples to classify: rows of numbers about centres, and the same drawn as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ANIMALS = np.array(["ant", "bee", "cat"])
SIDE = 32


def blobs(
    n: int, seed: int = 0, classes: NDArray[Any] = ANIMALS
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """n rows a class of 24 numbers, as near to each other as images are, in no order."""
    centres = np.random.default_rng(7).normal(size=(len(classes), 24))
    random = np.random.default_rng(seed)
    y = random.permutation(np.repeat(np.arange(len(classes)), n))
    rows = centres[y] + 0.9 * random.normal(size=(len(y), 24))
    return rows.astype(np.float32), classes[y]


def drawn(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) pictures of (n, d) numbers: three of them are the colour of a band."""
    levels = (255 / (1 + np.exp(-1.5 * rows))).astype(np.uint8)
    pictures = np.full((len(rows), SIDE, SIDE, 3), 128, np.uint8)
    bands = min(-(-rows.shape[1] // 3), SIDE)
    step = SIDE // bands
    for j in range(min(rows.shape[1], 3 * bands)):
        top = j // 3 * step
        pictures[:, top : top + step, :, j % 3] = levels[:, j, None, None]
    return pictures


def coloured(n: int, seed: int = 0) -> tuple[NDArray[np.uint8], list[str]]:
    """n pictures an animal, each of the colour of its kind, in no order."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.repeat(np.arange(len(ANIMALS)), n))
    colours = 2.0 * np.eye(3)[y] - 0.5
    return drawn(colours + 0.3 * random.normal(size=(len(y), 3))), ANIMALS[y].tolist()
