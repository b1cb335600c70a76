"""Styles keep an image an image, change it, and draw from PyTorch's generator alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.training.methods.imo.styles import STYLES, Style, lines, pencil, restyled

EVERY = list(dict.fromkeys(STYLES))


def picture(width: int = 96, height: int = 64) -> Image.Image:
    """A bright disc on a coloured gradient."""
    y, x = np.mgrid[:height, :width]
    disc = ((x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(width, height) / 3) ** 2)[..., None]
    ground = np.stack([x * 255 / width, y * 255 / height, np.full_like(x, 90.0)], axis=2)
    return Image.fromarray(np.where(disc, (240, 220, 40), ground).astype(np.uint8))


@pytest.mark.parametrize("style", EVERY, ids=lambda style: style.__name__)
def test_a_style_gives_another_image_of_the_same_size(style: Style) -> None:
    image = picture()
    before = np.asarray(image).copy()
    torch.manual_seed(0)
    changed = style(image)
    assert (changed.mode, changed.size) == ("RGB", image.size)
    assert not np.array_equal(np.asarray(changed), before)
    np.testing.assert_array_equal(np.asarray(image), before)


@pytest.mark.parametrize("style", EVERY, ids=lambda style: style.__name__)
def test_the_generator_decides(style: Style) -> None:
    def drawn(seed: int) -> bytes:
        torch.manual_seed(seed)
        return style(picture()).tobytes()

    assert drawn(3) == drawn(3)
    assert len({drawn(seed) for seed in range(8)}) > 1


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 60), st.integers(16, 60), st.integers(0, 2**31), st.sampled_from([0, 255]))
def test_plain_images_of_any_size_pass(width: int, height: int, seed: int, value: int) -> None:
    torch.manual_seed(seed)
    changed = restyled(Image.new("RGB", (width, height), (value,) * 3))
    assert (changed.mode, changed.size) == ("RGB", (width, height))


def test_drawings_have_no_colour_and_white_ground() -> None:
    for style in (pencil, lines):
        torch.manual_seed(1)
        drawn = np.asarray(style(picture())).astype(int)
        assert (drawn.max(axis=2) == drawn.min(axis=2)).all()
        assert np.median(drawn) > 200
        assert drawn.min() < 160
