"""What becomes of the images that a model is fine-tuned on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn


def cropped(model: nn.Module) -> Callable[[Image.Image], tuple[Tensor, ...]]:
    """Return open_clip's transform for training: a crop of at least nine tenths of the image.

    Args:
        model: Whose size and normalisation it takes.
    """
    config = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    crop: Any = image_transform_v2(config, is_train=True)

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return (crop(image),)

    return transform


def plain(
    preprocess: Callable[[Image.Image], Tensor],
) -> Callable[[Image.Image], tuple[Tensor, ...]]:
    """Return a backbone's own preprocessing: no augmentation.

    Args:
        preprocess: An RGB image to (3, H, W).
    """

    def transform(image: Image.Image) -> tuple[Tensor, ...]:
        return (preprocess(image),)

    return transform
