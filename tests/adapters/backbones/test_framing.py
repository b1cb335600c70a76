"""Framing on the processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
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
from adapters.backbones.transforms import Transforms

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


def normalised(*steps: object) -> Framing:
    return Framing(Compose([*steps, ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]))


@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize(
    "size", [(224, 40), (40, 300), (9, 400), (1, 700), (3001, 7), (1300, 224), (900, 23)]
)
@pytest.mark.parametrize("mode", [BICUBIC, InterpolationMode.BILINEAR])
def test_thin_pictures_are_what_the_steps_make_of_them(
    size: tuple[int, int], side: int, mode: InterpolationMode
) -> None:
    steps = [Resize(side, interpolation=mode), CenterCrop(side)]
    photo = Image.fromarray(skimage.data.astronaut()).resize(size, Image.Resampling.LANCZOS)
    found = normalised(*steps)(photo).int()
    wanted = torch.from_numpy(np.array(Compose(steps)(photo))).int()
    # Pillow takes rows and columns in the order that costs less, and rounds and clips in between.
    apart = (found - wanted).abs()
    assert apart.max() <= 6
    assert float(apart.float().mean()) < 0.25


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize(
    "size", [(64, 64), (640, 480), (480, 640), (300, 76), (33, 131), (900, 225)]
)
def test_ordinary_pictures_are_framed_bit_for_bit_as_open_clip_does(
    mode: str, size: tuple[int, int]
) -> None:
    transform = image_transform_v2(PreprocessCfg(size=64, resize_mode=mode), is_train=False)
    image = noise(*size)
    for step in transform.transforms[:-2]:
        image = step(image)
    assert torch.equal(Framing(transform)(noise(*size)), torch.from_numpy(np.array(image)))


@pytest.mark.parametrize(
    "config",
    [
        {"size": 224},
        {"size": 224, "resize_mode": "squash"},
        {"size": 224, "resize_mode": "longest"},
        {"size": (256, 192)},
    ],
    ids=["shortest", "squash", "longest", "not square"],
)
@pytest.mark.parametrize("size", [(1, 900_000), (900_000, 1), (3, 300_000)])
def test_no_picture_becomes_larger_than_it_is_before_it_is_cut(
    config: dict[str, Any], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    framing = Framing(image_transform_v2(PreprocessCfg(**config), is_train=False))
    made: list[int] = []
    resize = Image.Image.resize

    def noted(image: Image.Image, size: tuple[int, int], *rest: Any, **more: Any) -> Image.Image:
        made.append(size[0] * size[1])
        return resize(image, size, *rest, **more)

    monkeypatch.setattr(Image.Image, "resize", noted)
    framed = framing(Image.new("RGB", size, "teal"))
    assert framed.shape[2] == 3
    assert max(made, default=0) <= 4 * 256 * 256
    monkeypatch.undo()


def test_the_middle_of_a_thin_picture_is_what_is_seen() -> None:
    image = Image.new("RGB", (2, 10_000), "black")
    image.paste("white", (0, 4999, 2, 5001))
    levels = normalised(Resize(64, interpolation=BICUBIC), CenterCrop(64))(image)
    assert levels[28:36].float().mean() > 250
    assert image.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (33, 32), (32, 32), (301, 207), (31, 57)])
@pytest.mark.parametrize("mode", [BICUBIC, InterpolationMode.BILINEAR])
@pytest.mark.parametrize("side", [32, 40])
def test_plain_values_frame_bit_for_bit_as_torchvision_does(
    size: tuple[int, int], mode: InterpolationMode, side: int
) -> None:
    framing = normalised(Resize(side, interpolation=mode), CenterCrop(32))
    assert framing.shorter_side is not None
    plain = Framing(
        Transforms.of(framing.shorter_side, framing.mean.tolist(), framing.std.tolist())
    )
    assert plain.shorter_side == framing.shorter_side
    assert torch.equal(plain(noise(*size)), framing(noise(*size)))
    assert torch.equal(plain.mean, framing.mean)
    assert torch.equal(plain.std, framing.std)
