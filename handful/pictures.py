"""Preprocessing: whatever a caller has as an image, to the pixels that a backbone takes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from fastapi_problem.error import StatusProblem
from numpy.typing import NDArray
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings, SupportSet
from service.images.decoding import decode
from service.settings import Settings

Image = str | os.PathLike[str] | bytes | PIL.Image.Image | NDArray[Any]
"""A path, the bytes of an image file, a Pillow image, or an (H, W, 3) or (H, W) uint8 array."""

# What a service takes by default.
_MAX_PIXELS: int = Settings.model_fields["max_image_pixels"].default


class ImageError(ValueError):
    """An image cannot be read; the message names it and says why."""


def embed(backbone: Backbone, images: Sequence[Image], views: int = 1) -> ImageEmbeddings:
    """Both embeddings of n images, in their order, as the service embeds them.

    Costs a pass of the encoder for every ``backbone.batch`` views.

    Args:
        backbone: What embeds them.
        images: All that are to be embedded.
        views: Support views of each, which are averaged; 1: the image itself.

    Raises:
        ImageError: One of them cannot be read.
    """
    if isinstance(images, str | bytes | os.PathLike):
        raise TypeError("expected a sequence of images, got one; write [image]")
    if not images:
        return SupportSet.empty(backbone.width, backbone.corrected_width).embeddings
    blocks = []
    step = max(1, backbone.batch // views)
    for start in range(0, len(images), step):
        batch: list[Tensor] = []
        for i, image in enumerate(images[start : start + step]):
            picture, sha256 = _picture(image, f"image {start + i}", backbone.image_size)
            batch += backbone.preprocess_views(picture, views, sha256)
        rows = backbone.encode_images(torch.stack(batch))
        if views > 1:
            rows = ImageEmbeddings.concatenate(
                [averaged(rows[i : i + views]) for i in range(0, len(rows), views)]
            )
        blocks.append(rows)
    return ImageEmbeddings.concatenate(blocks)


def _picture(image: Image, what: str, side: int) -> tuple[PIL.Image.Image, str]:
    """The image as RGB, upright where its file says how, and the SHA-256 of its bytes.

    Of what is no file, the bytes are its pixels.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)) or not image.size:
            raise ImageError(
                f"{what} is an array of shape {image.shape} and type {image.dtype}; expected "
                "(H, W, 3) or (H, W) of uint8"
            )
        image = PIL.Image.fromarray(image)
    if isinstance(image, PIL.Image.Image):
        picture = image.convert("RGB")
        return picture, hashlib.sha256(picture.tobytes()).hexdigest()
    if isinstance(image, str | os.PathLike):
        what = os.fspath(image)
        try:
            image = Path(image).read_bytes()
        except OSError as error:
            raise ImageError(f"{what} cannot be read: {error.strerror}") from error
    if not isinstance(image, bytes):
        raise TypeError(f"{what} is a {type(image).__name__}; expected {Image}")
    try:
        pixels = decode(image, _MAX_PIXELS, what, side=side).pixels
    except StatusProblem as problem:
        raise ImageError(str(problem.detail)) from problem
    return pixels, hashlib.sha256(image).hexdigest()
