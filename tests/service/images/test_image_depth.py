"""Greys of 12, 16 and 32 bits, signed and floating, are scaled as viewers show them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from service.images.decoding import decode
from service.problems import BrokenImage, NotAnImage
from tests import odd_pictures as odd
from tests.odd_pictures import encoded, scene

SIZE = (120, 80)
PIXELS = 10**6
GREY = np.asarray(scene(SIZE).convert("L"))
RAMP = np.tile(np.linspace(0, 1, 120), (80, 1))
SHOWN = (255 * RAMP).round().astype(np.uint8)


def levels(content: bytes) -> np.ndarray:
    found = np.asarray(decode(content, PIXELS).pixels)
    assert (found == found[:, :, :1]).all()
    return found[:, :, 0].astype(int)


def deep(values: np.ndarray, kind: int, order: str = "<", **tags: tuple[int, list[float]]) -> bytes:
    bits = values.dtype.itemsize * 8
    more = {int(tag[1:]): given for tag, given in tags.items()}
    packed = values.astype(values.dtype.newbyteorder(order)).tobytes()
    every = {258: (3, [bits]), 339: (3, [kind])} | more
    return odd.tiff(packed, *SIZE, order=order, tags=every)  # type: ignore[arg-type]


def twelve() -> bytes:
    values = (RAMP * 4095).round().astype(np.uint16)
    pairs = values.reshape(80, 60, 2)
    packed = np.empty((80, 60, 3), np.uint8)
    packed[..., 0] = pairs[..., 0] >> 4
    packed[..., 1] = (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8
    packed[..., 2] = pairs[..., 1] & 255
    return odd.tiff(packed.tobytes(), *SIZE, tags={258: (3, [12])})


SIGNED = (RAMP * 4000 - 2000).round().astype(np.int16)
CASES = {
    "12 bits": twelve,
    "16 bits": lambda: deep((RAMP * 65535).round().astype(np.uint16), 1),
    "16 bits, the other order": lambda: deep((RAMP * 65535).round().astype(np.uint16), 1, ">"),
    "16 bits, white is zero": lambda: deep(
        (65535 - RAMP * 65535).round().astype(np.uint16), 1, t262=(3, [0])
    ),
    "16 bits, signed": lambda: deep(SIGNED, 2),
    "16 bits, signed, the other order": lambda: deep(SIGNED, 2, ">"),
    "16 bits, signed, with its range": lambda: deep(
        SIGNED // 2, 2, t340=(8, [-1000]), t341=(8, [1000])
    ),
    "8 bits, signed": lambda: deep((RAMP * 255 - 128).round().astype(np.int8), 2),
    "32 bits": lambda: deep((RAMP * (2**32 - 1)).round().astype(np.uint32), 1),
    "32 bits, few": lambda: deep((RAMP * 4000 + 70_000).round().astype(np.uint32), 1),
    "32 bits, the other order": lambda: deep(
        (RAMP * (2**32 - 1)).round().astype(np.uint32), 1, ">"
    ),
    "32 bits, signed": lambda: deep((RAMP * 10**9 - 10**8).round().astype(np.int32), 2),
    "floats in 0..1": lambda: deep(RAMP.astype(np.float32), 3),
    "floats in 0..255": lambda: deep((RAMP * 255).astype(np.float32), 3),
    "floats of any range": lambda: deep((RAMP * 3e5 - 1e5).astype(np.float32), 3),
    "floats with their range": lambda: deep(
        (RAMP * 50).astype(np.float32), 3, t340=(11, [0.0]), t341=(11, [50.0])
    ),
    "floats, the other order": lambda: deep(RAMP.astype(np.float32), 3, ">"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_ramp_is_shown_from_black_to_white(case: str) -> None:
    assert np.abs(levels(CASES[case]()) - SHOWN).max() <= 1


def test_a_dark_picture_of_floats_in_0_to_1_stays_dark() -> None:
    assert levels(deep((RAMP / 4).astype(np.float32), 3)).max() == 64


def test_nan_is_black_and_does_not_count_in_the_range() -> None:
    values = (RAMP * 1000).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    found = levels(deep(values, 3))
    assert found[0, :3].tolist() == [0, 255, 0]
    assert np.abs(found[1:] - SHOWN[1:]).max() <= 1


@pytest.mark.parametrize("value", [7.0, np.nan, np.inf, 3e38])
def test_one_number_everywhere_is_a_picture(value: float) -> None:
    assert levels(deep(np.full(SIZE[::-1], value, np.float32), 3)).shape == (80, 120)


def test_an_invalid_range_of_samples_is_ignored() -> None:
    content = deep(SIGNED, 2, t340=(11, [float("nan")]), t341=(11, [1.0]))
    assert np.abs(levels(content) - SHOWN).max() <= 1


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({277: (3, [5]), 258: (3, [8] * 5)}, "5 samples of 8 bits a pixel"),
        ({277: (3, [7]), 258: (3, [16] * 7)}, "7 samples of 16 bits a pixel"),
        ({258: (3, [64]), 339: (3, [3])}, "1 floating-point sample of 64 bits a pixel"),
        ({258: (3, [24])}, "1 sample of 24 bits a pixel"),
    ],
)
def test_a_tiff_of_bands_that_make_no_colour_is_told_as_what_it_is(
    tags: dict[int, tuple[int, list[int]]], told: str
) -> None:
    samples = tags.get(277, (3, [1]))[1][0] * tags[258][1][0] // 8
    content = odd.tiff(bytes(120 * 80 * samples), *SIZE, tags=dict(tags))
    with pytest.raises(NotAnImage) as refused:
        decode(content, PIXELS)
    assert f"is a TIFF of {told}," in str(refused.value.detail)
    assert "save them with 8 bits each" in str(refused.value.detail)


NETPBM = {
    "P3": (odd.plain_ppm, 0),
    "P6": (lambda image: encoded(image, "PPM"), 0),
    "P6 of 1000 levels": (lambda image: odd.odd_ppm(image, 1000), 1),
    "P6 of 99 levels": (lambda image: odd.odd_ppm(image, 99), 3),
    "PF": (lambda image: odd.pfm(np.asarray(image, np.float32) / 255), 1),
}


@pytest.mark.parametrize("case", NETPBM)
def test_netpbm_colours_are_read(case: str) -> None:
    make, apart = NETPBM[case]
    decoded = decode(make(scene(SIZE)), PIXELS)
    assert decoded.media_type == "image/x-portable-anymap"
    assert np.abs(np.asarray(decoded.pixels, int) - np.asarray(scene(SIZE))).max() <= apart


def test_netpbm_greys_and_bits_are_read() -> None:
    dots = Image.fromarray(GREY).convert("1")
    plain = b"P1 # of bits\n120 80\n" + b"\n".join(
        bytes(b"01"[not value] for value in row) for row in np.asarray(dots)
    )
    numbers = b"P2 120 80 # greys\n 255 " + " ".join(map(str, GREY.ravel())).encode()
    for content, wanted in (
        (encoded(dots, "PPM"), np.asarray(dots) * 255),
        (plain, np.asarray(dots) * 255),
        (numbers, GREY),
        (encoded(Image.fromarray(GREY), "PPM"), GREY),
        (encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PPM"), GREY),
    ):
        assert np.array_equal(levels(content), wanted)


@pytest.mark.parametrize(
    "content",
    [
        b"P6\n",
        b"P6\n-3 4 255\n",
        b"P6\n3 0 255\n",
        b"P6 3 3 70000\n" + bytes(60),
        b"P6 3 3 255\n" + bytes(26),
        b"P3 2 1 255 1 2 3 4 5",
        b"P3 2 1 255 1 2 3 4 five 6",
        b"P1 3 1 012",
        b"P1 3 1 01",
        b"Pf 3 1 one\n" + bytes(12),
        b"P3 1 1 255 -1 0 0",
    ],
)
def test_netpbm_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(BrokenImage):
        decode(content, PIXELS)
