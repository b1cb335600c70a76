"""Images as they are given become the bytes of a file, with the same picture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handful_client import InvalidImage
from handful_client.batches import Batch, Gathering, Item, named, to_send, zip_of
from handful_client.images import ImageFile, class_folders, files_of, image_file, is_one_image
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageOps

from tests.service.pictures import encoded, noise, picture


def opened(file: ImageFile) -> Image.Image:
    return Image.open(BytesIO(file.content))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, BytesIO])
def test_bytes_stay_as_they_are(kind: Callable[[bytes], object]) -> None:
    assert image_file(kind(picture(1)), 7) == ImageFile("image-7", picture(1))


def test_a_path_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "wald, früh.png"
    path.write_bytes(picture(1))
    assert image_file(path) == image_file(str(path)) == ImageFile("wald, früh.png", picture(1))
    with path.open("rb") as file:
        assert image_file(file) == ImageFile("wald, früh.png", picture(1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_picture_of_pillow_is_the_same_in_any_mode(mode: str) -> None:
    image = noise(1).convert("L").convert(mode) if mode in {"I;16", "F"} else noise(1).convert(mode)
    sent = opened(image_file(image))
    if mode in {"CMYK", "YCbCr", "F"}:
        image = image.convert("RGB")
    np.testing.assert_array_equal(np.asarray(sent), np.asarray(image))


def test_a_picture_of_pillow_keeps_its_orientation_and_colour_profile() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encoded(noise(1, (40, 20)), "JPEG", exif=exif, icc_profile=b"a profile")
    read = Image.open(BytesIO(file))
    sent = opened(image_file(read))
    assert sent.info["icc_profile"] == b"a profile"
    upright = ImageOps.exif_transpose(sent)
    assert upright.size == (20, 40)
    np.testing.assert_array_equal(np.asarray(upright), np.asarray(ImageOps.exif_transpose(read)))


def test_a_picture_of_pillow_that_is_cut_short_is_told() -> None:
    read = Image.open(BytesIO(picture(1)[:200]))
    with pytest.raises(InvalidImage, match="cannot be encoded"):
        image_file(read)


@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9).map(lambda s: (*s, 3)))
    | arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9))
)
def test_an_array_is_sent_without_loss(array: np.ndarray) -> None:
    np.testing.assert_array_equal(np.asarray(opened(image_file(array))), array)
    turned = array[::-1, ::2]  # not contiguous
    np.testing.assert_array_equal(np.asarray(opened(image_file(turned))), turned)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((4, 4, 3)), r"float64 \(4, 4, 3\)\. Multiply by 255"),
        (np.zeros((3, 4, 4), np.uint8), r"uint8 \(3, 4, 4\)"),
        (np.zeros(4, np.uint8), r"uint8 \(4,\)"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, told: str) -> None:
    with pytest.raises(InvalidImage, match=told):
        image_file(array)


def test_an_array_without_pillow_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.delitem(sys.modules, "PIL.Image")
    with pytest.raises(InvalidImage, match="pip install pillow"):
        image_file(np.zeros((4, 4, 3), np.uint8))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match=r"none\.png.*No such file"):
        image_file(tmp_path / "none.png")
    with pytest.raises(InvalidImage, match="Is a directory"):
        image_file(tmp_path)
    with pytest.raises(InvalidImage, match="null"):
        image_file("a\0b")
    with pytest.raises(TypeError, match="opened for bytes"):
        image_file(StringIO("text"))
    with pytest.raises(TypeError, match="list is no image"):
        image_file([1, 2])


def test_one_image_is_told_from_many(tmp_path: Path) -> None:
    one: list[Any] = [
        "a.png",
        tmp_path / "a.png",
        b"",
        BytesIO(),
        noise(1),
        np.zeros((4, 4, 3), np.uint8),
    ]
    assert all(map(is_one_image, one))
    many: list[Any] = [
        [],
        (),
        iter([b""]),
        tmp_path,
        str(tmp_path),
        np.zeros((2, 4, 4, 3), np.uint8),
    ]
    assert not any(map(is_one_image, many))


def test_folders_are_read_by_name_without_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "ant/b.png",
        "ant/a.png",
        "bee/deep/c.png",
        ".git/x",
        "ant/.DS_Store",
        "loose.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [(label, str(path.relative_to(tmp_path))) for label, path in class_folders(tmp_path)]
    assert found == [("ant", "ant/a.png"), ("ant", "ant/b.png"), ("bee", "bee/deep/c.png")]
    assert [path.name for path in files_of(tmp_path)] == ["a.png", "b.png", "c.png", "loose.png"]
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    for folder, told in (("empty/cat", "no folders"), ("empty", "no file"), ("gone", "no folder")):
        with pytest.raises(InvalidImage, match=told):
            class_folders(tmp_path / folder)


@given(sizes=st.lists(st.integers(0, 1 << 23), max_size=20), most=st.integers(1, 6))
def test_batches_hold_all_in_order_within_bounds(sizes: list[int], most: int) -> None:
    contents = {size: bytes(size) for size in sizes}
    items = [Item(i, ImageFile("a", contents[size])) for i, size in enumerate(sizes)]
    gathering = Gathering(most)
    batches: list[Batch] = [full for item in items if (full := gathering.add(item)) is not None]
    if (rest := gathering.rest()) is not None:
        batches.append(rest)
    assert [one for batch in batches for one in batch] == items
    for batch in batches:
        assert 1 <= len(batch) <= most
        assert sum(one.bytes for one in to_send(batch[:-1])) < 1 << 24


def test_names_of_a_batch_differ() -> None:
    items = [Item(i, ImageFile(name, b"")) for i, name in enumerate(["a.png", "b.png", "a.png"])]
    assert [name for name, _ in named(items)] == ["0-a.png", "b.png", "2-a.png"]


@pytest.mark.parametrize("label", ["", "a/b", "a\\b"])
def test_a_label_that_would_be_another_folder_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="cannot be a label"):
        zip_of([Item(0, ImageFile("a.png", b""), label)])


def test_nothing_is_imported_but_what_is_needed() -> None:
    program = (
        "import sys, handful_client as c; c.images.image_file(b'x');"
        "print(*({'numpy', 'PIL', 'service', 'torch', 'tqdm'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
