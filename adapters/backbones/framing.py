"""Preprocessing: a picture resized and cropped to the pixels that an image tower takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adapters.backbone_errors import BackboneError
from adapters.backbones.bounded import Bounded
from adapters.backbones.transforms import Transforms


class Framing:
    """Resizes and crops a picture to what the image tower takes; normalisation comes later.

    Eight bits a channel are all that a picture has, so that is what waits in queues and is
    copied to devices; the engine makes numbers of it
    (:class:`adapters.engines.image_pass.ImagePass`). Costs no more than the picture has pixels,
    whatever its shape (:mod:`adapters.backbones.bounded`).

    Args:
        transform: open_clip's preprocessing, or plain values of it: geometry, then ``ToTensor`` and
            ``Normalize``.

    Attributes:
        geometry: Its steps on pictures.
        shorter_side: What they do, where they resize the shorter side and cut out the centre.
        mean: (3,) of each channel, that pixels in 0..1 are normalised with.
        std: (3,) of each channel.

    Raises:
        BackboneError: The preprocessing ends otherwise.
    """

    def __init__(self, transform: Callable[[Image.Image], Tensor] | Transforms) -> None:
        steps: list[Any] = getattr(transform, "transforms", [transform])
        if not (_is(steps[-1], "Normalize") and _is(steps[-2:][0], "ToTensor")):
            raise BackboneError(
                f"preprocessing that does not end in ToTensor and Normalize is not known: {steps}"
            )
        self.geometry = steps[:-2]
        self._frame = Bounded(self.geometry)
        self.shorter_side = self._frame.shorter_side
        self.mean = torch.tensor(steps[-1].mean)
        self.std = torch.tensor(steps[-1].std)
        self._left_alone = self._size_left_alone()

    def __call__(self, image: Image.Image) -> Tensor:
        """Return (H, W, 3) uint8 pixels of an RGB image. Thread-safe."""
        # Resizing to the size that it has, cutting nothing off: each of these would copy it.
        framed = image if image.size == self._left_alone else self._frame(image)
        return torch.from_numpy(np.array(framed))

    def _size_left_alone(self) -> tuple[int, int] | None:
        """Width and height of pictures that come out as they go in, if there are any."""
        noise = np.random.default_rng(0)
        width, height = self._frame(Image.new("RGB", (64, 64))).size
        pixels = noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        same = np.array_equal(np.array(self._frame(Image.fromarray(pixels))), pixels)
        return (width, height) if same else None


def _is(step: Any, name: str) -> bool:
    """Whether it is one of torchvision's, which would take a second to import, by its name."""
    return name in {kind.__name__ for kind in type(step).__mro__}
