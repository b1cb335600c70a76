"""Metadata never decides whether a picture is taken, and never costs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi_problem.error import StatusProblem
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.images.containers import exif, gif, jpeg, png, tiff
from service.images.containers.cleaned import MOST_ICC
from service.images.decoding import decode
from service.problems import BrokenImage, ImageTooLarge, NotAnImage
from tests import odd_pictures as odd
from tests.odd_pictures import chunk, encoded, scene, segment, with_chunks, with_segments

SIZE = (300, 200)
PIXELS = 10**6
SCENE = scene(SIZE)
PNG = encoded(SCENE)
JPEG = encoded(SCENE, "JPEG", quality=90)
HEIC = Path(__file__).parents[1] / "files" / "scene.heic"

TEXT = zlib.compress(bytes(3 * 2**20))
CHUNKS = {
    "a long compressed text": chunk(b"zTXt", b"t\0\0" + TEXT),
    "a long international text": chunk(b"iTXt", b"t\0\1\0\0\0" + TEXT),
    "a long text": chunk(b"tEXt", b"t\0" + b"x" * 2**20),
    "a text with a wrong checksum": chunk(b"tEXt", b"t\0words")[:-4] + b"\0\0\0\0",
    "a profile that unpacks to more than a megabyte": chunk(b"iCCP", b"t\0\0" + TEXT),
    "a profile that is damaged": chunk(b"iCCP", b"t\0\0xxxx"),
    "EXIF data that are damaged": chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    "a chunk that nobody knows": chunk(b"noNe", b"x" * 100),
    "an animation that is damaged": chunk(b"acTL", b"\0"),
}


def told(content: bytes, kind: type[StatusProblem], most: int = PIXELS) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(kind) as refused:
        decode(content, most)
    return str(refused.value.detail)


def pixels(content: bytes, **options: int) -> np.ndarray:
    return np.asarray(decode(content, PIXELS, **options).pixels)


@pytest.mark.parametrize("what", CHUNKS)
def test_a_png_is_the_same_picture_with(what: str) -> None:
    assert np.array_equal(pixels(with_chunks(PNG, CHUNKS[what])), np.asarray(SCENE))


def test_a_png_whose_pixels_come_in_chunks_of_one_byte_is_read() -> None:
    small = scene((40, 30))
    assert np.array_equal(pixels(odd.in_tiny_chunks(encoded(small))), np.asarray(small))


def test_a_png_of_more_chunks_than_any_encoder_writes_is_refused() -> None:
    assert "chunks" in told(with_chunks(PNG, chunk(b"tEXt", b"") * 100_001), NotAnImage)


def test_a_profile_that_would_unpack_to_a_gigabyte_is_not_unpacked() -> None:
    bomb = with_chunks(PNG, chunk(b"iCCP", b"t\0\0" + zlib.compress(bytes(64 * 2**20))))
    assert png.clean(bomb).icc is None
    fits = with_chunks(PNG, chunk(b"iCCP", b"t\0\0" + zlib.compress(bytes(MOST_ICC))))
    assert png.clean(fits).icc == bytes(MOST_ICC)


SEGMENTS = {
    "EXIF data of thousands of tags": segment(0xE1, b"Exif\0\0" + odd.exif_of_tags(5000)),
    "EXIF data that are damaged": segment(0xE1, b"Exif\0\0" + b"\xff" * 40),
    "an index of pictures that are not there": segment(0xE2, b"MPF\0" + b"\xff" * 40),
    "a part of a profile": segment(0xE2, b"ICC_PROFILE\0\7\7" + b"x" * 100),
    "a long comment": segment(0xFE, b"x" * 60_000) * 30,
    "resolutions that are damaged": segment(0xED, b"Photoshop 3.0\x008BIM" + b"\xff" * 20),
    "bytes that fill": b"\xff" * 1000,
}


@pytest.mark.parametrize("what", SEGMENTS)
def test_a_jpeg_is_the_same_picture_with(what: str) -> None:
    assert np.array_equal(pixels(with_segments(JPEG, SEGMENTS[what])), pixels(JPEG))


def test_a_jpeg_of_more_segments_than_any_camera_writes_is_refused() -> None:
    assert "segments" in told(with_segments(JPEG, segment(0xFE, b"") * 20_000), NotAnImage)


def test_a_multi_picture_file_is_the_jpeg_that_it_begins_with() -> None:
    content = encoded(SCENE, "MPO", save_all=True, append_images=[SCENE.rotate(180)], quality=90)
    decoded = decode(content, PIXELS)
    assert decoded.media_type == "image/jpeg"
    assert np.array_equal(np.asarray(decoded.pixels), pixels(JPEG))


def test_scans_beyond_what_encoders_make_are_refused() -> None:
    assert pixels(odd.of_many_scans(SCENE, 50)).shape == (200, 300, 3)
    assert "100 scans" in told(odd.of_many_scans(SCENE, 5000), NotAnImage)


def test_scans_of_pictures_that_come_after_do_not_count() -> None:
    after = odd.of_many_scans(scene((64, 64)), 500)
    assert np.array_equal(pixels(JPEG + after), pixels(JPEG))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("kind", [3, 4])
def test_orientation_is_found_among_other_tags(order: str, prefix: bytes, kind: int) -> None:
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((6, 0) if kind == 3 else (6,)))
    entries = struct.pack(order + "HHII", 0x010F, 2, 10**9, 10**9)
    entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    assert exif.orientation(prefix + head + entries) == 6


@given(st.binary(max_size=120))
def test_any_bytes_have_an_orientation(content: bytes) -> None:
    for head in (b"", b"Exif\0\0II*\0", b"MM\0*\0\0\0\x08"):
        assert 1 <= exif.orientation(head + content) <= 8


def test_a_tiff_whose_tags_all_hold_all_pixels_costs_one_of_them() -> None:
    content = odd.tiff_of_tags(300, 200, 3000)
    cleaned = tiff.clean(content)
    assert len(cleaned.content) < len(content) + 300
    assert pixels(content).max() == 0


# Pillow reads no BigTIFF of the other order.
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_tiffs_of_both_orders_and_sizes_are_read(order: str, big: bool) -> None:
    grey = np.asarray(SCENE.convert("L"))
    content = odd.tiff(grey.tobytes(), *SIZE, order=order, big=big, rows=7)
    assert np.array_equal(pixels(content)[:, :, 0], grey)


def test_a_tiff_in_too_many_pieces_is_refused() -> None:
    assert "pieces" in told(odd.tiff(bytes(200_000), 1, 200_000, rows=1), NotAnImage)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_packed_tiffs_are_read_through_their_new_directory(compression: str) -> None:
    found = pixels(encoded(SCENE, "TIFF", compression=compression)).astype(int)
    assert np.abs(found - np.asarray(SCENE)).mean() < (3 if compression == "jpeg" else 0.01)


def test_a_gif_is_read_up_to_its_first_picture() -> None:
    plain = pixels(encoded(SCENE.quantize(64), "GIF"))
    assert np.array_equal(pixels(odd.gif_of_comments(SCENE, 50_000)), plain)
    assert np.array_equal(pixels(odd.gif_over_its_screen(SCENE)), plain)
    assert "blocks" in told(odd.gif_of_comments(SCENE, 200_000), NotAnImage)
    assert gif.clean(encoded(SCENE.quantize(4), "GIF", transparency=2)).content.count(b"!\xf9") == 1


@pytest.mark.parametrize("bits", [8, 4])
def test_a_bmp_of_runs_is_what_it_would_be_without(bits: int) -> None:
    indices = np.asarray(SCENE.convert("L")) // 16
    found = pixels(odd.run_length_bmp(indices, bits=bits))
    assert np.array_equal(found[:, :, 0], indices * 17)


def test_a_bmp_of_more_runs_than_pixels_is_refused() -> None:
    indices = np.zeros((10, 10), np.uint8)
    content = odd.run_length_bmp(indices)
    start = int.from_bytes(content[10:14], "little")
    says_nothing = content[:start] + b"\0\2\0\0" * 400 + content[start:]
    assert "runs; save it as PNG" in told(says_nothing, NotAnImage)
    assert pixels(content).max() == 0


def test_a_webp_with_a_canvas_beyond_the_limit_is_refused_before_it_is_made() -> None:
    content = bytearray(encoded(odd.with_alpha(SCENE), "WEBP"))
    content[24:30] = b"\xff\x3f\0\xff\x3f\0"
    assert "16384 x 16384" in told(bytes(content), ImageTooLarge)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "PNG", "JPEG", "TIFF"])
def test_orientation_is_the_files_own_whatever_else_it_holds(kind: str) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x010E] = "words " * 1000
    decoded = decode(encoded(SCENE, kind, exif=turned.tobytes()), PIXELS)
    assert decoded.pixels.size == (decoded.width, decoded.height) == (200, 300)
    upright = np.asarray(SCENE.transpose(Image.Transpose.ROTATE_270), int)
    assert np.abs(np.asarray(decoded.pixels) - upright).mean() < 10


def test_a_heic_is_read() -> None:
    decoded = decode(HEIC.read_bytes(), PIXELS)
    assert decoded.media_type == "image/heic"
    assert np.abs(np.asarray(decoded.pixels, int) - np.asarray(scene((96, 64)))).mean() < 10
    assert "96 x 64" in told(HEIC.read_bytes(), ImageTooLarge, 1000)
    assert "HEIC" in told(HEIC.read_bytes()[:900], BrokenImage)


def test_a_jpeg_without_its_end_is_taken_where_all_pixels_are_there() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        whole = encoded(SCENE, "JPEG", quality=90, **options)
        assert whole.endswith(b"\xff\xd9")
        for cut in (1, 2):
            assert np.array_equal(pixels(whole[:-cut]), pixels(whole))
            assert pixels(whole[:-cut], side=20).shape == (20, 30, 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cut=st.integers(6, len(JPEG) - 700), progressive=st.booleans(), side=st.booleans())
def test_a_jpeg_that_lacks_pixels_is_refused(cut: int, progressive: bool, side: bool) -> None:
    whole = encoded(SCENE, "JPEG", quality=90, progressive=True) if progressive else JPEG
    with pytest.raises(BrokenImage):
        decode(whole[:-cut], PIXELS, side=20 if side else None)


KINDS = {name: make for name, make in odd.kinds(SCENE).items() if "128 MB" not in name}


@pytest.mark.parametrize("kind", [k for k in KINDS if "scans" not in k and "cut" not in k])
def test_every_kind_becomes_the_same_size_by_every_road(kind: str) -> None:
    content = KINDS[kind]()
    whole = decode(content, PIXELS)
    assert whole.pixels.mode == "RGB"
    assert whole.pixels.size == (whole.width, whole.height) == SIZE
    small = decode(content, PIXELS, side=40)
    assert small.pixels.size == (60, 40)
    apart = np.asarray(small.pixels, int) - np.asarray(whole.pixels.resize((60, 40), 3))
    assert np.abs(apart).mean() < (10 if "one bit" in kind or kind == "PBM" else 2)
    least = decode(content, PIXELS, least=1000)
    assert np.array_equal(np.asarray(least.pixels), np.asarray(whole.pixels))


@pytest.mark.parametrize(
    "make",
    [
        lambda: odd.flat_png(3, 900_000),
        lambda: odd.flat_png(900_000, 3, colour=6),
        lambda: odd.flat_png(900_000, 3, colour=0, depth=16),
        lambda: odd.flat_png(1, 3_000_000, colour=4),
    ],
)
@pytest.mark.parametrize("side", [None, 224])
def test_of_a_strip_the_middle_is_taken(make: Callable[[], bytes], side: int | None) -> None:
    decoded = decode(make(), 10**7, side=side)
    assert max(decoded.width, decoded.height) >= 900_000
    short = min(decoded.width, decoded.height)
    assert sorted(decoded.pixels.size) == [short, 16 * short]


def test_clean_files_of_each_kind_hold_no_more_than_before() -> None:
    for content, clean in ((JPEG, jpeg.clean), (PNG, png.clean)):
        assert len(clean(content).content) <= len(content)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_still_webp_has_the_pixels_that_pillow_gives_it(mode: str, lossless: bool) -> None:
    picture = SCENE.convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(SIZE))
    written = encoded(picture, "WEBP", lossless=lossless)
    with Image.open(io.BytesIO(written)) as opened:
        expected = Image.new("RGBA", SIZE, "white")
        expected.alpha_composite(opened.convert("RGBA"))
    assert np.array_equal(decode(written, PIXELS).pixels, expected.convert("RGB"))


def test_a_large_animated_webp_is_refused_and_a_still_one_of_as_many_pixels_is_not() -> None:
    still = encoded(SCENE, "WEBP")
    moving = encoded(SCENE, "WEBP", save_all=True, append_images=[SCENE.rotate(90)])
    pixels = SIZE[0] * SIZE[1]
    assert decode(still, pixels).pixels.size == decode(moving, 4 * pixels).pixels.size == SIZE
    with pytest.raises(NotAnImage) as refused:
        decode(moving, 4 * pixels - 1)
    assert "Send its first frame" in str(refused.value.detail)
