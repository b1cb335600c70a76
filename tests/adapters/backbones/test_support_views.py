"""Support views: the same ones every time, within the picture, at no more than their number."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import normalize

from adapters.backbones.support_views import averaged, random_crops, support_views
from adapters.embeddings import ImageEmbeddings
from tests.service.pictures import noise

SIDE = 16


def pixels(view: Image.Image) -> bytes:
    return view.tobytes()


def gradient(width: int, height: int) -> Image.Image:
    """Red says how far to the right a pixel was, green how far down, blue is 7."""
    across = np.linspace(0, 255, width, dtype=np.float32).round().astype(np.uint8)
    down = np.linspace(0, 255, height, dtype=np.float32).round().astype(np.uint8)
    values = np.full((height, width, 3), 7, dtype=np.uint8)
    values[..., 0], values[..., 1] = across[None, :], down[:, None]
    return Image.fromarray(values)


@given(width=st.integers(1, 300), height=st.integers(1, 300), n=st.integers(0, 8), seed=st.text())
def test_any_picture_has_squares_that_more_views_begin_with(
    width: int, height: int, n: int, seed: str
) -> None:
    picture = gradient(width, height)
    crops = list(random_crops(picture, n + 1, seed, SIDE))
    assert [crop.size for crop in crops] == [(SIDE, SIDE)] * (n + 1)
    assert list(map(pixels, crops[:n])) == list(map(pixels, random_crops(picture, n, seed, SIDE)))
    # Nothing but the picture is in them.
    assert all(
        np.asarray(crop)[..., 2].min() == np.asarray(crop)[..., 2].max() == 7 for crop in crops
    )


def test_the_first_view_is_the_picture_itself() -> None:
    picture = noise(1)
    [only] = support_views(picture, 1, "a", SIDE)
    first, second = support_views(picture, 2, "a", SIDE)
    assert only is first is picture
    assert second.size == (SIDE, SIDE)


@pytest.mark.long
def test_crops_are_of_the_seed_alone_in_every_process() -> None:
    """Whatever the seed of that process's hashes."""
    code = (
        "import hashlib; from tests.adapters.backbones.test_support_views import gradient, SIDE;"
        "from adapters.backbones.support_views import random_crops;"
        "crops = random_crops(gradient(60, 40), 4, 'ab' * 32, SIDE);"
        "print(hashlib.sha256(b''.join(c.tobytes() for c in crops)).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    crops = random_crops(gradient(60, 40), 4, "ab" * 32, SIDE)
    here = hashlib.sha256(b"".join(map(pixels, crops))).hexdigest()
    assert other.stdout.strip() == here
    different = list(map(pixels, random_crops(gradient(60, 40), 4, "cd" * 32, SIDE)))
    assert hashlib.sha256(b"".join(different)).hexdigest() != here


def test_crops_keep_half_to_all_of_the_area_and_half_of_them_are_mirrored() -> None:
    shares, mirrored = [], []
    for crop in random_crops(gradient(256, 256), 400, "seed", 64):
        red, green = np.asarray(crop)[..., 0].astype(float), np.asarray(crop)[..., 1].astype(float)
        mirrored.append(red[0, 0] > red[0, -1])
        width, height = abs(red[:, 0] - red[:, -1]).mean(), abs(green[0] - green[-1]).mean()
        shares.append(width * height / 255**2)
    # A crop that would be wider than the picture is cut to it.
    assert 0.4 < min(shares) < 0.56
    assert 0.9 < max(shares) <= 1
    assert 0.68 < np.mean(shares) < 0.76
    assert 0.4 < np.mean(mirrored) < 0.6


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_the_average_is_a_unit_row_that_the_order_does_not_change(n: int, seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    views = ImageEmbeddings(
        normalize(torch.randn(n, 8, generator=chance)),
        normalize(torch.randn(n, 12, generator=chance)),
    )
    mean = averaged(views)
    assert mean.frozen.shape == (1, 8)
    assert mean.corrected.shape == (1, 12)
    for row, rows in ((mean.frozen, views.frozen), (mean.corrected, views.corrected)):
        assert row.norm().item() == pytest.approx(1, abs=1e-5)
        assert torch.allclose(row * rows.mean(dim=0).norm(), rows.mean(dim=0), atol=1e-6)
    back = averaged(views[torch.arange(n - 1, -1, -1)])
    assert torch.allclose(mean.frozen, back.frozen, atol=1e-5)
