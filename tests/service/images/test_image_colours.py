"""Colours of other spaces become those of sRGB."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from service.images.colour import Colours
from service.images.decoding import decode
from tests import profiles
from tests.odd_pictures import chunk, encoded, scene, segment, with_chunks, with_segments

PIXELS = 10**6
SCENE = scene((300, 200))
SPACES = {"Display P3": (profiles.P3, None), "Adobe RGB": (profiles.ADOBE, 563 / 256)}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("side", [None, 40])
def test_a_wide_gamut_looks_as_it_does_in_srgb(space: str, kind: str, side: int | None) -> None:
    primaries, gamma = SPACES[space]
    there = Image.fromarray(profiles.encoded_in(np.asarray(SCENE), primaries, gamma))
    options = {"quality": 95} if kind != "PNG" else {}
    icc = profiles.of_rgb(primaries, gamma)
    found = decode(encoded(there, kind, icc_profile=icc, **options), PIXELS, side=side).pixels
    wanted = decode(encoded(SCENE, kind, **options), PIXELS, side=side).pixels
    told = decode(encoded(there, kind, **options), PIXELS, side=side).pixels
    apart = np.abs(np.asarray(found, int) - np.asarray(wanted)).mean()
    assert apart < 3
    assert np.abs(np.asarray(told, int) - np.asarray(wanted)).mean() > 3 * apart


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_of_srgb_changes_no_bit(kind: str) -> None:
    for icc in (profiles.of_rgb(profiles.SRGB), _pillows_srgb()):
        with_profile = decode(encoded(SCENE, kind, icc_profile=icc), PIXELS).pixels
        assert np.array_equal(with_profile, decode(encoded(SCENE, kind), PIXELS).pixels)


def _pillows_srgb() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("side", [None, 40])
def test_inks_become_the_colours_that_their_profile_says(kind: str, side: int | None) -> None:
    icc = profiles.of_cmyk()
    inks = SCENE.convert("CMYK")
    found = decode(encoded(inks, kind, icc_profile=icc), PIXELS, side=side).pixels
    wanted = Colours().to_srgb(inks, icc).resize(found.size, Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(found, int) - np.asarray(wanted)).mean() < 3
    plain = decode(encoded(inks, kind), PIXELS, side=side).pixels
    assert np.abs(np.asarray(plain, int) - np.asarray(wanted)).mean() > 10


@pytest.mark.parametrize(
    "icc",
    [
        b"",
        b"no profile",
        bytes(500),
        profiles.of_rgb(profiles.P3)[:300],
        profiles.of_rgb(profiles.P3)[:200] + b"\xff" * 288,
        profiles.of_cmyk(),
        profiles.of_rgb(profiles.P3).ljust(5 * 2**20, b"\0"),
    ],
    ids=["empty", "words", "zeros", "cut short", "damaged", "of inks", "too large"],
)
def test_a_profile_of_another_colour_space_is_ignored(icc: bytes) -> None:
    packed = with_chunks(encoded(SCENE), chunk(b"iCCP", b"t\0\0" + zlib.compress(icc)))
    assert np.array_equal(decode(packed, PIXELS).pixels, SCENE)
    if len(icc) < 60_000:
        jpeg = encoded(SCENE, "JPEG")
        carries = with_segments(jpeg, segment(0xE2, b"ICC_PROFILE\0\1\1" + icc))
        assert np.array_equal(decode(carries, PIXELS).pixels, decode(jpeg, PIXELS).pixels)


def test_a_profile_in_several_segments_is_put_together_by_their_numbers() -> None:
    there = Image.fromarray(profiles.encoded_in(np.asarray(SCENE), profiles.P3))
    icc = profiles.of_rgb(profiles.P3)
    jpeg = encoded(there, "JPEG")
    halves = [
        segment(0xE2, b"ICC_PROFILE\0" + struct.pack("BB", i + 1, 2) + icc[i * 200 : i * 200 + 200])
        for i in range(2)
    ]
    halves[1] = segment(0xE2, b"ICC_PROFILE\0\2\2" + icc[200:])
    wanted = decode(encoded(there, "JPEG", icc_profile=icc), PIXELS).pixels
    assert np.array_equal(decode(with_segments(jpeg, *halves[::-1]), PIXELS).pixels, wanted)


def test_transforms_are_forgotten_beyond_a_number() -> None:
    colours = Colours(most=2)
    for gamma in (1.5, 1.6, 1.7, 1.8):
        assert colours.changes(profiles.of_rgb(profiles.P3, gamma), "RGB")
    assert len(colours._transforms) == 2
