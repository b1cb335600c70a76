"""Pictures resized by PyTorch are those that Pillow makes, but for a level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import CenterCrop, Resize
from torchvision.transforms import InterpolationMode as Mode

from adapters.backbones.antialias_framing import AntialiasFraming, resized_by
from adapters.backbones.framing import Framing
from adapters.loading import load_backbone
from adapters.recipe import Recipe
from tests.adapters.backbones.test_device_framing import PHOTOS, apart, framing, photo, usual
from tests.tiny_vit import write_tiny_vit

HOST = usual()
FRAMED = AntialiasFraming(HOST)


def natural(width: int, height: int, seed: int) -> Image.Image:
    """A part of a photograph at a random scale, of any size."""
    rng = np.random.default_rng(seed)
    whole = photo(PHOTOS[seed % len(PHOTOS)])
    left, top = (int(rng.integers(0, side // 2)) for side in whole.size)
    part = whole.crop((left, top, left + whole.width // 2, top + whole.height // 2))
    return part.resize((width, height), Image.Resampling.LANCZOS)


SIDES = st.integers(1, 900)


@settings(deadline=None)
@given(width=SIDES, height=SIDES, seed=st.integers(0, 1000))
def test_a_natural_picture_of_any_size_is_pillows_but_for_a_level(
    width: int, height: int, seed: int
) -> None:
    image = natural(width, height, seed)
    levels = apart(FRAMED(image), HOST(image))
    # Where rounding in between went the other way, at sharp edges, it may be two or three.
    assert levels.max() <= 4
    assert float((levels > 1).float().mean()) < 0.001
    assert float((levels > 0).float().mean()) < 0.25


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_are_pillows_but_for_a_level_in_some(name: str) -> None:
    for image in (photo(name), photo(name).rotate(90, expand=True)):
        levels = apart(FRAMED(image), HOST(image))
        assert levels.max() <= 1
        assert float((levels > 0).float().mean()) < 0.01


@settings(deadline=None)
@given(ratio=st.integers(5, 100), short=st.integers(1, 300), upright=st.booleans())
def test_thin_pictures_are_pillows(ratio: int, short: int, upright: bool) -> None:
    size = (short, ratio * short) if upright else (ratio * short, short)
    image = Image.new("RGB", size, (1, 2, 3))
    image.putpixel((0, 0), (255, 0, 255))
    assert apart(FRAMED(image), HOST(image)).max() == 0


@settings(deadline=None)
@given(width=st.integers(1, 224), height=st.integers(1, 224), seed=st.integers(0, 9))
def test_pictures_that_are_not_made_smaller_are_pillows(width: int, height: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    assert apart(FRAMED(image), HOST(image)).max() == 0


@pytest.mark.parametrize(
    "host",
    [
        framing(Resize(32, interpolation=Mode.BILINEAR), CenterCrop(32)),
        framing(Resize((32, 32), interpolation=Mode.BICUBIC)),
        framing(CenterCrop(32)),
    ],
)
def test_other_geometries_are_left_to_pillow(host: Framing) -> None:
    assert resized_by("antialias", host) is host
    with pytest.raises(ValueError, match="not bicubically"):
        AntialiasFraming(host)


def test_a_backbone_resizes_by_its_recipe(tmp_path_factory: pytest.TempPathFactory) -> None:
    name = f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'))}"
    by_default = load_backbone(name, "cpu")
    quick = load_backbone(name, "cpu", recipe=Recipe(resizing="antialias"))
    assert quick.fingerprint == Recipe(resizing="antialias").fingerprint(by_default.fingerprint)
    image = photo("coffee")
    wanted = by_default.preprocess(image)
    levels = apart(quick.preprocess(image), wanted)
    assert 0 < levels.max() <= 1
    pillows = image.resize((48, 32), Image.Resampling.BICUBIC).crop((8, 0, 40, 32))
    assert np.array_equal(wanted.numpy(), np.array(pillows))
