"""Support views: the picture and random crops of it, the same ones every time, as one embedding."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import exp, log, sqrt

from PIL import Image
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings

MOST_VIEWS = 32
"""Most support views of an image."""

VIEWS = "crops"
"""Changes whenever a picture may have other views than before."""

# What a crop keeps of the picture's area, and the ratio of its sides; both are customary.
AREA = (0.5, 1.0)
RATIO = (3 / 4, 4 / 3)


def support_views(image: Image.Image, n: int, seed: str, side: int) -> Iterator[Image.Image]:
    """The picture, and n - 1 random crops of it (:func:`random_crops`)."""
    yield image
    yield from random_crops(image, n - 1, seed, side)


def random_crops(
    image: Image.Image, n: int, seed: str, side: int, area: tuple[float, float] = AREA
) -> Iterator[Image.Image]:
    """Crop a picture at random and mirror half of the crops (Szegedy et al., CVPR 2015).

    Costs a resized square each, whatever the shape of the picture.

    Args:
        image: RGB.
        n: How many; the first ones do not depend on it.
        seed: They are drawn by this alone, in every process and version of Python.
        side: Pixels of a side of a crop, which is resized to a square.
        area: Least and largest share of the picture's area in a crop.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    for _ in range(n):
        kept = (area[0] + (area[1] - area[0]) * chance.random()) * image.width * image.height
        ratio = exp(log(RATIO[0]) + log(RATIO[1] / RATIO[0]) * chance.random())
        width = min(sqrt(kept * ratio), image.width)
        height = min(sqrt(kept / ratio), image.height)
        left = chance.random() * (image.width - width)
        top = chance.random() * (image.height - height)
        mirrored = chance.random() < 0.5
        crop = image.resize(
            (side, side), Image.Resampling.BICUBIC, (left, top, left + width, top + height)
        )
        yield crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else crop


def averaged(views: ImageEmbeddings) -> ImageEmbeddings:
    """One row of the n views of one image: both embeddings' means, of unit length.

    The published figures average embeddings before they are normalised (Kravets and Namboodiri),
    which comes to the same (docs/support-views.md).

    Args:
        views: The image itself, which is kept as it is as a query, and crops of it.
    """
    frozen, corrected = (
        normalize(rows.mean(dim=0, keepdim=True), dim=1) for rows in (views.frozen, views.corrected)
    )
    return ImageEmbeddings(frozen, corrected, views.corrected[:1].clone())
