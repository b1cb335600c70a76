"""What is no classifier's file is refused, and the refusal says why."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from fastapi_problem.error import StatusProblem
from safetensors.torch import load, save

from adapters.embeddings import ImageEmbeddings
from service.exchange import ExportedClassifier, ReadLimits, read_classifier
from service.problems import ImageTooLarge, InvalidName, InvalidUpload, RequestTooLarge
from tests.service.exchange.files import (
    LIMITS,
    made,
    packed,
    unit_rows,
    unpacked,
    with_json,
    written,
)

FILE = written(made())


def read(file: bytes, limits: ReadLimits = LIMITS) -> ExportedClassifier:
    return read_classifier(io.BytesIO(file), limits).classifier


@contextmanager
def refusing(kind: type[StatusProblem], told: str) -> Iterator[None]:
    """The block is refused by such a problem, whose detail tells this (a pattern)."""
    with pytest.raises(kind) as refused:
        yield
    assert re.search(told, refused.value.detail or ""), refused.value.detail


def assert_equal(one: ExportedClassifier, other: ExportedClassifier) -> None:
    for name in ("source", "settings", "tuning", "tuning_state", "classes", "images"):
        assert getattr(one, name) == getattr(other, name), name
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(one.embeddings.frozen, other.embeddings.frozen)
    assert torch.equal(one.embeddings.corrected, other.embeddings.corrected)
    assert (one.texts is None) == (other.texts is None)
    assert one.texts is None or (other.texts is not None and torch.equal(one.texts, other.texts))


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("meaning", [True, False])
def test_what_was_written_is_read(images: bool, meaning: bool) -> None:
    classifier = made(names_carry_meaning=meaning, templates=("a {}",), coverage=0.5)
    file = read_classifier(io.BytesIO(written(classifier, images=images)), LIMITS)
    assert_equal(file.classifier, classifier)
    assert len(file.kept) == (4 if images else 0)


def test_the_file_packed_again_by_another_program_is_read() -> None:
    assert_equal(read(packed(unpacked(FILE) | {"images/": b""})), made())


def tensors(**changes: torch.Tensor | None) -> bytes:
    members = unpacked(FILE)
    held = load(members["embeddings.safetensors"]) | changes
    kept = {name: tensor for name, tensor in held.items() if tensor is not None}
    return packed(members | {"embeddings.safetensors": save(kept)})


def member(name: str, content: bytes | None) -> bytes:
    members = unpacked(FILE)
    del members[name]
    return packed(members if content is None else members | {name: content})


ROWS = unit_rows(4)
TENSORS: list[tuple[dict[str, Any], str]] = [
    ({"frozen": None}, "it has the tensors corrected, labels, texts, and should have"),
    ({"more": ROWS}, "it has the tensors"),
    ({"frozen": ROWS[:3].clone()}, r"frozen is \(3, 32\) of float32, and should be 4 rows"),
    ({"frozen": ROWS.double()}, "frozen.dtype: Input should be"),
    ({"frozen": ROWS.half()}, "frozen.dtype: Input should be"),
    ({"frozen": ROWS * 2}, "no unit vectors"),
    ({"corrected": ROWS * torch.nan}, "no unit vectors"),
    ({"corrected": ROWS * torch.inf}, "no unit vectors"),
    ({"frozen": ROWS.unsqueeze(0)}, "frozen.shape"),
    ({"labels": torch.tensor([0.0, 0, 1, 1])}, "labels are .* of float32"),
    ({"frozen": torch.zeros(4, 0)}, "no unit vectors"),
    ({"texts": unit_rows(3)}, "and should be 2 rows"),
    ({"texts": unit_rows(2)[:, :1] / unit_rows(2)[:, :1].abs()}, "texts have 1 numbers"),
    ({"labels": torch.tensor([0, 0, 1, 2])}, "a label is of none of the 2 classes"),
    ({"labels": torch.tensor([0, 0, 1, -1])}, "a label is of none of the 2 classes"),
    ({"labels": torch.tensor([0, 0, 1, 1], dtype=torch.int32)}, "labels.dtype"),
    ({"labels": torch.tensor([0, 1, 1, 1])}, "and its embedding of 'bee'"),
]


@pytest.mark.parametrize(("changes", "told"), TENSORS)
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Any], told: str) -> None:
    with refusing(InvalidUpload, told):
        read(tensors(**changes))


DOCUMENTS: list[tuple[str, int, dict[str, Any], type[StatusProblem], str]] = [
    ("classifier.json", 0, {"format": "handful-classifier-3"}, InvalidUpload, "format: Input"),
    ("classifier.json", 0, {"more": 1}, InvalidUpload, "more: Extra inputs"),
    ("classifier.json", 0, {"n_images": -1}, InvalidUpload, "n_images"),
    ("classifier.json", 0, {"n_images": 5}, InvalidUpload, "and should be 5"),
    ("classifier.json", 0, {"n_images": 101}, RequestTooLarge, "at most 100 and 100"),
    ("classifier.json", 0, {"n_classes": 101}, RequestTooLarge, "at most 100 and 100"),
    ("classifier.json", 0, {"n_classes": 3}, InvalidUpload, "and should be 3 rows"),
    ("classifier.json", 0, {"settings": {"method": "what"}}, StatusProblem, "unknown method"),
    ("classifier.json", 0, {"settings": {"depth": 1}}, InvalidUpload, "does not know: depth"),
    ("classifier.json", 0, {"settings": {"coverage": 2}}, StatusProblem, "settings.coverage"),
    (
        "classifier.json",
        0,
        {"settings": {"method": "zero-shot", "names_carry_meaning": False}},
        StatusProblem,
        "by their names alone",
    ),
    ("classifier.json", 0, {"tuning": {"power": 1}}, InvalidUpload, "not known: power"),
    ("classifier.json", 0, {"tuning": {"temperature": -1}}, InvalidUpload, "no tuning can have"),
    (
        "classifier.json",
        0,
        {
            "tuning": {
                "left_out_scores": {
                    "count": 2,
                    "mean": 0,
                    "spread": 1,
                    "freedom": 1,
                    "ranks": [1, 2],
                    "scores": [2, 1],
                }
            }
        },
        InvalidUpload,
        "contradict themselves",
    ),
    ("classifier.json", 0, {"tuning": {"temperature": "hot"}}, InvalidUpload, "cannot be read"),
    ("classes.jsonl", 0, {"label": "a/b"}, InvalidName, "slashes"),
    ("classes.jsonl", 0, {"label": " ant"}, InvalidUpload, "no spaces around"),
    ("classes.jsonl", 0, {"label": "\u200b"}, InvalidName, "invisible"),
    ("classes.jsonl", 0, {"label": "bee"}, InvalidUpload, "names a class twice"),
    ("classes.jsonl", 0, {"label": "wasp"}, InvalidUpload, "and its embedding of 'wasp'"),
    ("classes.jsonl", 0, {"created_at": "yesterday"}, InvalidUpload, "created_at"),
    ("classes.jsonl", 0, {"created_at": "0001-01-01T00:00:00+23:59"}, InvalidUpload, "no year"),
    ("classes.jsonl", 0, {"created_at": "2026-01-01T12:00:00"}, InvalidUpload, "timezone"),
    ("images.jsonl", 0, {"id": f"{1:032x}"}, InvalidUpload, "names an image twice"),
    ("images.jsonl", 0, {"id": "../../etc"}, InvalidUpload, "Line 1 of images.jsonl .* id"),
    ("images.jsonl", 0, {"sha256": "0" * 64}, InvalidUpload, "bytes of the image, and there"),
    ("images.jsonl", 0, {"nbytes": None}, InvalidUpload, "bytes of the image, and there"),
    ("images.jsonl", 0, {"filename": "a\0b"}, InvalidUpload, "no NUL"),
    ("images.jsonl", 0, {"filename": "a" * 256}, InvalidUpload, "filename"),
    ("images.jsonl", 0, {"media_type": "text/html"}, InvalidUpload, "media_type"),
    ("images.jsonl", 0, {"width": 0}, InvalidUpload, "width"),
    ("images.jsonl", 0, {"filename": "x" * 5000}, InvalidUpload, "whole lines|too many"),
]


@pytest.mark.parametrize(("name", "line", "changes", "kind", "told"), DOCUMENTS)
def test_json_that_does_not_fit_is_refused(
    name: str, line: int, changes: dict[str, Any], kind: type[StatusProblem], told: str
) -> None:
    with refusing(kind, told):
        read(with_json(FILE, name, line, **changes))


IMAGE = next(name for name in unpacked(FILE) if name.startswith("images/"))
MEMBERS: list[tuple[str, bytes | None, str]] = [
    ("classifier.json", None, "no classifier.json"),
    ("embeddings.safetensors", None, "no embeddings.safetensors"),
    ("classes.jsonl", None, "no classes.jsonl"),
    ("images.jsonl", None, "no images.jsonl that names them"),
    ("classifier.json", b"", "classifier.json is not as"),
    ("classifier.json", b"[" * 100_000, "classifier.json is not as"),
    ("classifier.json", b"\xff", "classifier.json is not as"),
    ("classifier.json", b'{"settings":' * 1000, "classifier.json is not as"),
    ("classes.jsonl", b"", "0 whole lines"),
    ("classes.jsonl", b"{}\n{}", "label: Field required"),
    ("images.jsonl", b"\n" * 5, "Line 1 of images.jsonl"),
    ("embeddings.safetensors", b"", "its header has 0 bytes"),
    ("embeddings.safetensors", b"\xff" * 100, "its header has"),
    ("embeddings.safetensors", struct.pack("<Q", 9) + b"{" * 9, "cannot be used"),
    ("embeddings.safetensors", struct.pack("<Q", 2) + b"{}", "it has the tensors"),
    (IMAGE, None, "bytes of the image, and there"),
]


@pytest.mark.parametrize(("name", "content", "told"), MEMBERS)
def test_members_that_do_not_fit_are_refused(name: str, content: bytes | None, told: str) -> None:
    with refusing(InvalidUpload, told):
        read(member(name, content))


def test_more_lines_than_rows_are_refused() -> None:
    lines = unpacked(FILE)["classes.jsonl"]
    with refusing(InvalidUpload, "more lines than 2"):
        read(member("classes.jsonl", lines + b"{}\n"))


def test_an_image_is_what_its_name_says() -> None:
    content = unpacked(FILE)[IMAGE]
    changed = content[:-1] + bytes([content[-1] ^ 1])
    file = read_classifier(io.BytesIO(member(IMAGE, changed)), LIMITS)
    with refusing(InvalidUpload, "another image than its name says"):
        file.content(IMAGE.removeprefix("images/"))


def test_an_image_is_of_the_kind_that_is_told() -> None:
    file = read_classifier(
        io.BytesIO(with_json(FILE, "images.jsonl", 0, media_type="image/jpeg")), LIMITS
    )
    with refusing(InvalidUpload, "is no image/jpeg"):
        file.content(IMAGE.removeprefix("images/"))


def test_an_image_of_two_classes_is_one_image() -> None:
    first = made()
    assert first.images is not None
    images = [*first.images[:3], replace(first.images[3], sha256=first.images[0].sha256)]
    with refusing(InvalidUpload, "describes one image, .*, in two ways"):
        read(written(replace(first, images=images)))
    rows = first.embeddings.frozen[[0, 1, 2, 0]], first.embeddings.corrected[[0, 1, 2, 0]]
    whole = replace(first, images=images, embeddings=ImageEmbeddings(*rows))
    assert_equal(read(written(whole)), whole)


def test_strangers_are_refused() -> None:
    for name in ("../../etc/passwd", "images/../classifier.json", "images/a.png", "x.pkl", "/a"):
        with refusing(InvalidUpload, "which no classifier's file has"):
            read(packed(unpacked(FILE) | {name: b""}))
    with refusing(InvalidUpload, "not named in images.jsonl"):
        read(packed(unpacked(FILE) | {f"images/{'0' * 64}": b"x"}))


def test_a_member_that_is_there_twice_is_refused() -> None:
    buffer = io.BytesIO(FILE)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(match="Duplicate name"):
        archive.writestr(IMAGE, b"another")
    with refusing(InvalidUpload, "there twice"):
        read(buffer.getvalue())


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused_so_that_nothing_unpacks_to_more(compression: int) -> None:
    with refusing(InvalidUpload, "zip -0 -X -r"):
        read(packed(unpacked(FILE), compression))


def test_what_is_no_zip_is_refused() -> None:
    for file in (b"", b"PK", FILE[:-1], FILE[: len(FILE) // 2], b"no zip" * 100):
        with refusing(InvalidUpload, "no zip|damaged"):
            read(file)
    with refusing(InvalidUpload, "a zip of images goes to"):
        read(packed({}))


@pytest.mark.parametrize(
    ("limits", "kind", "told"),
    [
        (ReadLimits(classes=1, images=9, image_bytes=10**6), RequestTooLarge, "at most 1 and 9"),
        (ReadLimits(classes=9, images=3, image_bytes=10**6), RequestTooLarge, "at most 9 and 3"),
        (ReadLimits(classes=9, images=9, image_bytes=99), ImageTooLarge, "at most 99"),
    ],
)
def test_more_than_is_accepted_is_told(
    limits: ReadLimits, kind: type[StatusProblem], told: str
) -> None:
    with refusing(kind, told):
        read(FILE, limits)


def test_a_directory_of_very_many_members_is_not_read() -> None:
    with refusing(RequestTooLarge, "members in"):
        read(packed({str(i): b"" for i in range(200)}))


def lying(offset: int, change: Callable[[int], int]) -> bytes:
    """The file with another number in the first header of its directory."""
    at = FILE.index(b"PK\x01\x02") + offset
    [number] = struct.unpack_from("<I", FILE, at)
    return FILE[:at] + struct.pack("<I", change(number) % 2**32) + FILE[at + 4 :]


@pytest.mark.parametrize("offset", [16, 20, 24, 42])  # checksum, both sizes, where it begins
@pytest.mark.parametrize("change", [lambda n: n + 1, lambda n: n - 1, lambda _: 2**32 - 2])
def test_directories_that_lie_are_refused(offset: int, change: Callable[[int], int]) -> None:
    with pytest.raises(InvalidUpload):
        read(lying(offset, change))
