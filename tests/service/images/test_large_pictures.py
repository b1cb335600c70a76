"""Large pictures are made smaller while they are decoded, and stay the same pictures."""

from __future__ import annotations

import io
from math import ceil

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.images.decoding import REDUCING_GAP, decode
from service.problems import BrokenImage, ImageTooLarge
from service.settings import Settings
from tests.service.client import Classifier
from tests.service.images.test_image_kinds import exif
from tests.service.pictures import encoded

PIXELS = 20_000_000
SIDE = 64
# The shorter side from which on a picture is large.
LARGE = ceil(2 * REDUCING_GAP * SIDE)


def photograph(size: tuple[int, int] = (1200, 900)) -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()).resize(size, Image.Resampling.BICUBIC)


def difference(decoded: Image.Image, whole: Image.Image) -> float:
    """Mean difference of a picture from the whole one resized."""
    resized = whole.resize(decoded.size, Image.Resampling.BICUBIC)
    return float(np.abs(np.asarray(decoded, np.float32) - np.asarray(resized, np.float32)).mean())


KINDS = {
    "JPEG": lambda image: encoded(image, "JPEG", quality=90),
    "progressive": lambda image: encoded(image, "JPEG", quality=90, progressive=True),
    "grey": lambda image: encoded(image.convert("L"), "JPEG", quality=90),
    "of a printer": lambda image: encoded(image.convert("CMYK"), "JPEG", quality=90),
    "fine colours": lambda image: encoded(image, "JPEG", quality=90, subsampling=0),
    "two in one": lambda image: encoded(
        image, "MPO", quality=90, save_all=True, append_images=[image.rotate(90)]
    ),
    "PNG": lambda image: encoded(image, "PNG", compress_level=1),
    "16 bits": lambda image: encoded(
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), compress_level=1
    ),
    "palette": lambda image: encoded(image.quantize(256)),
    "WebP": lambda image: encoded(image, "WEBP", quality=90, method=0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_picture_is_made_smaller_and_looks_the_same(kind: str) -> None:
    content = KINDS[kind](photograph())
    whole = decode(content, PIXELS)
    small = decode(content, PIXELS, side=SIDE)
    assert whole.pixels.size == (1200, 900)
    assert small.pixels.size == (SIDE * 1200 // 900, SIDE)
    assert small.pixels.mode == "RGB"
    assert (small.width, small.height) == (whole.width, whole.height) == (1200, 900)
    assert small.media_type == whole.media_type
    assert difference(small.pixels, whole.pixels) < 1.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_picture_is_put_upright(kind: str, orientation: int) -> None:
    content = encoded(photograph(), kind, exif=exif(orientation))
    whole = decode(content, PIXELS)
    small = decode(content, PIXELS, side=SIDE)
    size = (1200, 900) if orientation < 5 else (900, 1200)
    assert (small.width, small.height) == (whole.width, whole.height) == whole.pixels.size == size
    assert small.pixels.size == tuple(SIDE * length // 900 for length in size)
    assert difference(small.pixels, whole.pixels) < 1.5


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_large_jpeg_that_is_cut_short_is_refused(progressive: bool, share: float) -> None:
    content = encoded(photograph(), "JPEG", quality=90, progressive=progressive)
    with pytest.raises(BrokenImage):
        decode(content[: int(share * len(content))], PIXELS, side=SIDE)


def test_the_limit_is_about_the_whole_picture() -> None:
    content = encoded(photograph(), "JPEG")
    with pytest.raises(ImageTooLarge) as refused:
        decode(content, 1_000_000, side=SIDE)
    assert "1200 x 900" in (refused.value.detail or "")


def test_a_phones_photo_of_50_megapixels_is_within_the_default_limits() -> None:
    content = encoded(photograph((8160, 6144)), "JPEG", quality=90)
    assert len(content) < Settings().max_image_bytes
    decoded = decode(content, Settings().max_image_pixels, side=224)
    assert (decoded.width, decoded.height) == (8160, 6144)


@pytest.mark.parametrize("size", [(1200, LARGE - 1), (LARGE - 1, 1200), (50, 40)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_whose_shorter_side_is_short_stays_as_it_is(
    size: tuple[int, int], kind: str
) -> None:
    content = encoded(photograph(size), kind)
    small = decode(content, PIXELS, side=SIDE).pixels
    assert small.size == size
    assert np.array_equal(np.asarray(small), np.asarray(decode(content, PIXELS).pixels))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    side=st.integers(1, 200),
    kind=st.sampled_from(["JPEG", "PNG"]),
    orientation=st.integers(1, 8),
)
def test_every_large_picture_gets_the_size_that_the_encoder_takes(
    size: tuple[int, int], side: int, kind: str, orientation: int
) -> None:
    content = encoded(Image.new("RGB", size, "teal"), kind, exif=exif(orientation))
    small = decode(content, PIXELS, side=side)
    upright = size if orientation < 5 else size[::-1]
    assert (small.width, small.height) == upright
    large = min(size) >= 2 * REDUCING_GAP * side
    resized = tuple(side * length // min(size) for length in upright)
    assert small.pixels.size == (resized if large else upright)


@pytest.mark.parametrize("size", [(1201, 907), (1193, 1201)])
def test_no_part_of_a_picture_is_lost_or_moved(size: tuple[int, int]) -> None:
    """Sides that are no multiples of 8: the last pixel of each row stands for fewer."""
    ramp = np.linspace(0, 255, size[0], dtype=np.float32)[None, :].repeat(size[1], axis=0)
    content = encoded(Image.fromarray(ramp.round().astype(np.uint8)), "JPEG", quality=100)
    small = np.asarray(decode(content, PIXELS, side=SIDE).pixels, np.float32)[:, :, 0]
    centres = (np.arange(small.shape[1]) + 0.5) / small.shape[1] * 255
    inner = slice(2, -2)
    assert np.abs(small.mean(axis=0) - centres)[inner].max() < 1


def test_the_size_told_of_a_large_photo_is_that_of_the_file(classifier: Classifier) -> None:
    content = encoded(photograph(), "JPEG", exif=exif(6))
    assert classifier.post("any", content).status_code == 201
    [image] = classifier.get_class("any").json()["images"]
    assert (image["width"], image["height"]) == (900, 1200)
    got = classifier.http.get(f"{classifier.class_url('any')}/images/{image['id']}")
    assert Image.open(io.BytesIO(got.content)).size == (1200, 900)
