"""Images in the forms in which scikit-learn passes samples on: lists, arrays, columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from handful.pictures import Image


def images_of(X: Any) -> list[Image]:
    """The n images of X; reads none of them.

    Args:
        X: A sequence of n images, each of any kind that :data:`handful.Image` has; a column of
            paths; or one uint8 array of shape (n, H, W, 3) or (n, H, W).

    Raises:
        TypeError: X is a single image, or no sequence.
        ValueError: X is an array of something else, such as embeddings.
    """
    if isinstance(X, str | bytes):
        raise TypeError("expected a sequence of images, got one; write [image]")
    if isinstance(X, list | tuple):
        return list(X)
    _num_samples(X)  # raises what is no sequence
    samples = np.asarray(X)
    if samples.dtype.kind in "OU":
        if samples.ndim == 2 and samples.shape[1] == 1:
            samples = samples[:, 0]
        if samples.ndim == 1:
            return list(samples.tolist())
    elif samples.dtype == np.uint8 and samples.ndim in (3, 4):
        return list(samples)
    raise ValueError(
        f"X is an array of shape {samples.shape} and type {samples.dtype}; expected images: paths, "
        "Pillow images, or uint8 of shape (n, H, W, 3). Embeddings go to HandfulHead"
    )
