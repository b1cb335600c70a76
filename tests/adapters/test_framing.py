"""Framing on the processor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
)

from adapters.backbones.framing import Framing

BICUBIC = InterpolationMode.BICUBIC


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("steps", "left_alone"),
    [
        ([Resize(32, interpolation=BICUBIC), CenterCrop(32)], True),
        ([Resize((32, 32), interpolation=BICUBIC)], True),
        ([Resize(40, interpolation=BICUBIC), CenterCrop(32)], False),
        ([lambda image: image.rotate(180)], False),
    ],
    ids=["usual", "squash", "cut off", "turned"],
)
def test_pictures_of_the_right_size_are_what_the_steps_make_of_them(
    steps: list[object], left_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    framing = Framing(Compose([*steps, ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]))
    for size in ((32, 32), (64, 64), (50, 32), (32, 50)):
        wanted = torch.from_numpy(np.array(Compose(steps)(noise(*size))))
        assert torch.equal(framing(noise(*size)), wanted)
    monkeypatch.setattr(framing, "_frame", None)
    if left_alone:
        assert torch.equal(framing(noise(32, 32)), torch.from_numpy(np.array(noise(32, 32))))
    else:
        with pytest.raises(TypeError):
            framing(noise(32, 32))
