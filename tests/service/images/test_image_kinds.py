"""Images of every mode are taken as a person sees them."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from service.images.decoding import decode
from tests.service.client import Classifier
from tests.service.pictures import encoded, noise, patches, picture

PIXELS = 100_000


def photograph() -> Image.Image:
    """A picture that differs from each of its rotations, in colour."""
    left = Image.open(io.BytesIO(patches("brick")[0])).resize((60, 40))
    right = Image.open(io.BytesIO(patches("grass")[5])).resize((60, 40))
    return Image.merge("RGB", (left, right, Image.linear_gradient("L").resize((60, 40))))


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("RGB")


def with_alpha(image: Image.Image) -> Image.Image:
    copy = image.copy()
    copy.putalpha(Image.radial_gradient("L").resize(image.size))
    return copy


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


Pair = tuple[bytes, Image.Image]


def greyscale() -> Pair:
    grey = photograph().convert("L")
    return encoded(grey), grey.convert("RGB")


def one_bit() -> Pair:
    dots = photograph().convert("1")
    return encoded(dots), dots.convert("RGB")


def palette() -> Pair:
    few = photograph().quantize(32)
    return encoded(few), few.convert("RGB")


def palette_with_transparency() -> Pair:
    few = photograph().quantize(32)
    content = encoded(few, transparency=7)
    shown = few.convert("RGB")
    shown.paste((255, 255, 255), mask=Image.fromarray(np.asarray(few) == 7))
    return content, shown


def cmyk() -> Pair:
    inks = photograph().convert("CMYK")
    return encoded(inks, "TIFF"), inks.convert("RGB")


def sixteen_bit() -> Pair:
    grey = photograph().convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return encoded(deep), grey.convert("RGB")


def sixteen_bit_tiff() -> Pair:
    grey = photograph().convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return encoded(deep, "TIFF"), grey.convert("RGB")


def floats() -> Pair:
    grey = photograph().convert("L")
    return encoded(Image.fromarray(np.asarray(grey, np.float32) / 255), "TIFF"), grey.convert("RGB")


def grey_with_alpha() -> Pair:
    image = with_alpha(photograph().convert("L"))
    return encoded(image), on_white(image)


def colour_with_alpha() -> Pair:
    image = with_alpha(photograph())
    return encoded(image), on_white(image)


def rotated_png() -> Pair:
    upright = photograph()
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    return encoded(lying, exif=exif(6)), upright


def mirrored_and_transparent() -> Pair:
    upright = with_alpha(photograph())
    return encoded(upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT), exif=exif(2)), on_white(
        upright
    )


def rotated_sixteen_bit() -> Pair:
    upright = photograph().convert("L")
    lying = upright.transpose(Image.Transpose.ROTATE_180)
    deep = Image.fromarray(np.asarray(lying).astype(np.uint16) * 257)
    return encoded(deep, exif=exif(3)), upright.convert("RGB")


def animated_gif() -> Pair:
    first, second = photograph().quantize(64), noise(1, (60, 40)).quantize(64)
    return encoded(first, "GIF", save_all=True, append_images=[second]), first.convert("RGB")


def animated_webp() -> Pair:
    more = [noise(1, (60, 40))]
    content = encoded(photograph(), "WEBP", save_all=True, append_images=more, lossless=True)
    return content, photograph()


def animated_png() -> Pair:
    more = [noise(1, (60, 40))]
    return encoded(photograph(), "PNG", save_all=True, append_images=more), photograph()


def bitmap() -> Pair:
    return encoded(photograph(), "BMP"), photograph()


KINDS: list[Callable[[], Pair]] = [
    greyscale,
    one_bit,
    palette,
    palette_with_transparency,
    cmyk,
    sixteen_bit,
    sixteen_bit_tiff,
    floats,
    grey_with_alpha,
    colour_with_alpha,
    rotated_png,
    mirrored_and_transparent,
    rotated_sixteen_bit,
    animated_gif,
    animated_webp,
    animated_png,
    bitmap,
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_decoded_as_it_is_seen(kind: Callable[[], Pair]) -> None:
    content, seen = kind()
    decoded = decode(content, PIXELS).pixels
    assert decoded.mode == "RGB"
    assert decoded.size == seen.size
    difference = np.abs(np.asarray(decoded, np.int16) - np.asarray(seen, np.int16))
    assert difference.max() <= 1


def test_the_jpegs_of_printers_are_decoded() -> None:
    inks = photograph().convert("CMYK")
    decoded = decode(encoded(inks, "JPEG", quality=95), PIXELS)
    assert decoded.media_type == "image/jpeg"
    difference = np.asarray(decoded.pixels, np.int16) - np.asarray(inks.convert("RGB"), np.int16)
    assert np.abs(difference).mean() < 12


def test_a_rotated_jpeg_is_put_upright() -> None:
    upright = photograph()
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    decoded = decode(encoded(lying, "JPEG", quality=95, exif=exif(6)), PIXELS).pixels
    assert decoded.size == upright.size
    difference = np.asarray(decoded, np.int16) - np.asarray(upright, np.int16)
    assert np.abs(difference).mean() < 12


def test_damaged_exif_does_not_spoil_an_image() -> None:
    content = encoded(photograph(), "JPEG", exif=b"Exif\0\0" + b"\xff" * 40)
    assert decode(content, PIXELS).pixels.size == (60, 40)


def test_every_kind_is_registered_and_matches_what_is_seen(classifier: Classifier) -> None:
    pairs = {kind.__name__: kind() for kind in KINDS}
    answer = classifier.post("any", *(content for content, _ in pairs.values()))
    assert answer.status_code == 201, answer.text
    id_of = dict(zip(pairs, (image["id"] for image in answer.json()["images"]), strict=True))
    answers = classifier.predictions(*(encoded(seen) for _, seen in pairs.values()), evidence=100)
    for kind, prediction in zip(pairs, answers, strict=True):
        similarity = {shown["image_id"]: shown["similarity"] for shown in prediction["evidence"]}
        assert similarity[id_of[kind]] > 0.999, kind


def test_the_size_told_of_a_rotated_image_is_the_upright_one(classifier: Classifier) -> None:
    content, _ = rotated_png()
    classifier.post("any", content)
    [image] = classifier.get_class("any").json()["images"]
    assert (image["width"], image["height"]) == (60, 40)


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (600, 1), (3, 2)])
def test_an_image_of_an_odd_shape_is_taken(classifier: Classifier, size: tuple[int, int]) -> None:
    odd = encoded(noise(1, size))
    classifier.post("odd", odd, picture(5))
    [answer] = classifier.predictions(odd)
    assert answer["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-4)
