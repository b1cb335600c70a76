"""Whether what a configuration says of pixels can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.backbone_errors import BackboneError

_KNOWN = {
    "interpolation": ("bicubic", "bilinear"),
    "resize_mode": ("shortest", "longest", "squash"),
}


def channels(values: Any, least: float) -> list[float]:
    """A mean or a standard deviation of each channel, of pixels in 0..1.

    Args:
        values: Three numbers, or one for all.
        least: The smallest that can be.

    Raises:
        BackboneError: It is none.
    """
    if isinstance(values, int | float):
        values = [values] * 3
    try:
        found = [float(each) for each in values]
    except (TypeError, ValueError):
        found = []
    if len(found) != 3 or not all(least <= each <= 1.0 for each in found):
        raise BackboneError(f"{values} are no mean or standard deviation of three channels")
    return found


def check_pixels(preprocess_cfg: Mapping[str, Any], vision_cfg: Any, told_by: Path) -> None:
    """What open_clip's configuration says of pixels is known, and of the model's input size.

    Args:
        preprocess_cfg: May lack what has a default.
        vision_cfg: Of the image tower.
        told_by: Its file.

    Raises:
        BackboneError: It is not.
    """
    try:
        channels(preprocess_cfg.get("mean", 0.5), 0.0)
        channels(preprocess_cfg.get("std", 0.5), 0.01)
    except BackboneError as error:
        raise BackboneError(f"{told_by}: {error}") from error
    for name, known in _KNOWN.items():
        if (value := preprocess_cfg.get(name, known[0])) not in known:
            raise BackboneError(f"{told_by}: {name} is {value!r}, and not {' or '.join(known)}")
    if not isinstance(vision_cfg, Mapping):
        raise BackboneError(f"{told_by} has no vision_cfg")
    size, input_size = preprocess_cfg.get("size"), vision_cfg.get("image_size", 224)
    if size is not None and _sides(size) != _sides(input_size):
        raise BackboneError(
            f"{told_by}: pictures are made {size} pixels large, and the image tower takes "
            f"{input_size}"
        )


def _sides(size: Any) -> list[Any]:
    return [size, size] if isinstance(size, int) else list(size)
