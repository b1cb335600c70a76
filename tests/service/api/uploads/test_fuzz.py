"""Whatever the bytes are, the answer is a value or a problem, never a crash."""

from __future__ import annotations

import unicodedata

import pytest
from fastapi_problem.error import StatusProblem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.archives import Unpacked, open_archive
from service.class_folders import ClassFolderError, read_class_folders
from service.images.decoding import decode
from service.name_validation import checked_label
from service.problems import InvalidName
from service.settings import Settings
from tests.service.pictures import encoded, noise, picture, zipped

MAX_PIXELS = 10_000
SEEDS = [
    encoded(noise(1, (24, 16)), "JPEG"),
    encoded(noise(1, (24, 16)), "JPEG", progressive=True),
    encoded(noise(1, (24, 16)), "PNG"),
    encoded(noise(1, (24, 16)).quantize(16), "PNG"),
    encoded(noise(1, (24, 16)), "WEBP"),
    encoded(noise(1, (24, 16)).quantize(16), "GIF", save_all=True, append_images=[noise(2)]),
    encoded(noise(1, (24, 16)), "BMP"),
    encoded(noise(1, (24, 16)), "TIFF"),
    encoded(noise(1, (24, 16)), "TIFF", compression="tiff_lzw"),
    encoded(noise(1, (24, 16)), "AVIF"),
]
ZIPS = [
    zipped({"ant/1.png": picture(1), "bee/2.png": picture(2)}),
    zipped({"ant/1.png": picture(1), "bee/": b"", "森林/2.png": b"x" * 100}, compression=0),
]
LIMITS = Settings(max_image_bytes=20_000, max_unpacked_bytes=50_000, max_images_per_request=10)

bounded = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of the originals with some bytes changed, some cut out or doubled, and its end lost."""
    content = bytearray(draw(st.sampled_from(originals)))
    # Headers are where damage leads furthest.
    place = st.one_of(st.integers(0, min(200, len(content) - 1)), st.integers(0, len(content) - 1))
    for at, value in draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=12)):
        content[at] = value
    if draw(st.booleans()):
        start, length = draw(place), draw(st.integers(1, 40))
        piece = content[start : start + length]
        content[start : start + length] = piece * 2 if draw(st.booleans()) else b""
    if draw(st.booleans()):
        content = content[: draw(place)]
    return bytes(content)


def told(problem: StatusProblem) -> None:
    assert problem.status in {413, 422}
    assert problem.detail


@bounded
@given(mutated(SEEDS))
def test_a_mutated_image_is_decoded_or_refused(content: bytes) -> None:
    try:
        decoded = decode(content, MAX_PIXELS)
    except StatusProblem as problem:
        told(problem)
        return
    assert decoded.pixels.mode == "RGB"
    width, height = decoded.pixels.size
    assert 0 < width * height <= MAX_PIXELS
    decoded.pixels.tobytes()


@bounded
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(content: bytes) -> None:
    with pytest.raises(StatusProblem):
        decode(content, MAX_PIXELS)


@bounded
@given(mutated(ZIPS))
def test_a_mutated_zip_is_unpacked_or_refused(content: bytes) -> None:
    try:
        files = open_archive(content, LIMITS, Unpacked(LIMITS))
        images = [(file.filename, file.read()) for file in files]
        labels = read_class_folders([name for name, _ in images]).labels
    except ClassFolderError as refusal:
        assert str(refusal)  # noqa: PT017
        return
    except StatusProblem as problem:
        told(problem)
        return
    assert len(images) <= 5 * LIMITS.max_images_per_request
    assert sum(len(image) for _, image in images) <= LIMITS.max_unpacked_bytes
    for (_, image), label in zip(images, labels, strict=True):
        assert len(image) <= LIMITS.max_image_bytes
        assert label != ".."


@bounded
@given(st.text(st.characters(), max_size=300))
def test_a_label_that_was_checked_stays_as_it_is(text: str) -> None:
    try:
        label = checked_label(text)
    except InvalidName as problem:
        told(problem)
        return
    assert checked_label(label) == label
    assert 1 <= len(label) <= 255
    assert "/" not in label
    label.encode()


@bounded
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_a_label_shows_something_and_no_control_character(text: str) -> None:
    try:
        label = checked_label(text)
    except InvalidName as problem:
        told(problem)
        # Letters and digits of every script are seen.
        plain = all(unicodedata.category(c) in {"Lu", "Ll", "Nd"} for c in text)
        assert not plain
        return
    categories = {unicodedata.category(c) for c in label}
    assert not categories & {"Cc", "Cs", "Co", "Zl", "Zp"}
    # Cn: newer than the interpreter's tables.
    assert any(c[0] in "LNPS" or c in {"Mc", "Cf", "Cn"} for c in categories)


@bounded
@given(st.text(min_size=1, max_size=50))
def test_all_normal_forms_of_a_label_are_one(text: str) -> None:
    try:
        label = checked_label(text)
    except InvalidName:
        return
    for form in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)):
        assert checked_label(form) == label
