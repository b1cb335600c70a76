"""Uploads that cannot be used: each has its own problem, and nothing is half done."""

from __future__ import annotations

import io
import socket
import struct
import zipfile
import zlib

import pytest

from tests.service.client import Classifier, problem
from tests.service.pictures import encoded, noise, picture, zipped

GOOD = picture(1)
JPEG = encoded(noise(2, (200, 200)), "JPEG")
PNG = encoded(noise(2, (100, 100)), "PNG")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises this many pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BAD_IMAGES: dict[str, tuple[bytes, int, str, str]] = {
    "text": (b"just words", 422, "not-an-image", "not an image in a known format"),
    "page": (
        b"<html><img src=x></html>",
        422,
        "not-an-image",
        "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC, PPM",
    ),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "not-an-image", "known format"),
    "pdf": (b"%PDF-1.4\n%%EOF", 422, "not-an-image", "known format"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", 422, "not-an-image", "known format"),
    "empty": (b"", 422, "not-an-image", "empty (0 bytes)"),
    "truncated jpeg": (JPEG[: len(JPEG) // 2], 422, "broken-image", "truncated or damaged"),
    "truncated png": (PNG[: len(PNG) // 2], 422, "broken-image", "truncated or damaged"),
    "jpeg header": (JPEG[:30], 422, "broken-image", "truncated or damaged"),
    "damaged png": (
        PNG[:2000] + b"\0" * 200 + PNG[2200:],
        422,
        "broken-image",
        "truncated or damaged",
    ),
    "bomb": (png_claiming(50_000, 50_000), 413, "image-too-large", "50000 x 50000"),
    "huge bomb": (png_claiming(2**31 - 1, 2**31 - 1), 413, "image-too-large", "64000000"),
}


@pytest.fixture
def before(classifier: Classifier) -> Classifier:
    """A classifier with something in it that must stay as it is."""
    classifier.post("ant", picture(100))
    return classifier


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_among_good_ones_is_named_and_none_is_kept(
    before: Classifier, case: str
) -> None:
    bad, status, kind, told = BAD_IMAGES[case]
    state = before.state()
    problem(before.post("ant", GOOD, bad, picture(3)), status, kind, told, "'1.png'")
    problem(before.post("new", GOOD, bad, picture(3)), status, kind, told, "'1.png'")
    by_form = before.post_support({"new/1.png": GOOD, "bee/bad.png": bad, "ant/1.png": picture(3)})
    problem(by_form, status, kind, told, "bee/bad.png")
    by_zip = before.post_zip(zipped({"new/1.png": GOOD, "bee/bad.png": bad}))
    problem(by_zip, status, kind, told, "bee/bad.png")
    problem(before.predict(GOOD, bad), status, kind, told, "'1.png'")
    assert before.state() == state


@pytest.mark.parametrize("case", [case for case in BAD_IMAGES if case != "empty"])
def test_a_bad_bare_image_is_refused(before: Classifier, case: str) -> None:
    bad, status, kind, told = BAD_IMAGES[case]
    state = before.state()
    problem(before.post_body(bad, "image/png", "classes/new/images"), status, kind, told)
    problem(before.post_body(bad, "image/png", "predict"), status, kind, told)
    assert before.state() == state


EMPTY: dict[str, tuple[str, bytes]] = {
    "no body": ("image/jpeg", b""),
    "form without parts": ("multipart/form-data; boundary=X", b"--X--\r\n"),
}


@pytest.mark.parametrize("where", ["classes/new/images", "predict"])
@pytest.mark.parametrize("case", EMPTY)
def test_an_upload_without_images_is_refused(before: Classifier, where: str, case: str) -> None:
    state = before.state()
    media_type, body = EMPTY[case]
    problem(before.post_body(body, media_type, where), 422, "empty-upload", "at least one image")
    assert before.state() == state


def test_a_request_without_any_body_is_refused(before: Classifier) -> None:
    problem(before.http.post(f"{before.url}/predict"), 422, "empty-upload", "at least one image")


def test_a_zip_without_images_is_refused(before: Classifier) -> None:
    state = before.state()
    problem(before.post_zip(zipped({})), 422, "empty-upload", "no image")
    problem(before.post_zip(zipped({"new/.DS_Store": b"x"})), 422, "empty-upload", "no image")
    assert before.state() == state


def part(name: str, body: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename is not None else ""
    return f'--X\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + body


FORM = "multipart/form-data; boundary=X"


@pytest.mark.parametrize("where", ["classes/new/images", "support", "predict"])
def test_a_text_field_is_no_file(before: Classifier, where: str) -> None:
    state = before.state()
    body = part("picture", b"@a.jpg") + b"\r\n--X--\r\n"
    problem(
        before.post_body(body, FORM, where), 422, "invalid-upload", "'picture' is text", "@FILE"
    )
    assert before.state() == state


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", part("f", GOOD, "a.png") + b"\r\n--X--\r\n"),
        (FORM, b"no parts at all"),
        (FORM, part("f", b"x" * 2_000_000) + b"\r\n--X--\r\n"),
        (FORM, part("f", b"x\r\n") * 101 + b"--X--\r\n"),
    ],
    ids=["no boundary", "not a form", "endless text field", "too many text fields"],
)
@pytest.mark.parametrize("where", ["classes/new/images", "support", "predict"])
def test_a_form_that_is_none_is_refused(
    before: Classifier, media_type: str, body: bytes, where: str
) -> None:
    state = before.state()
    problem(before.post_body(body, media_type, where), 422, "invalid-upload", "multipart")
    assert before.state() == state


def test_a_form_that_is_cut_short_is_refused_whole(before: Classifier) -> None:
    state = before.state()
    whole = part("f", GOOD, "a.png") + b"\r\n"
    for cut in (whole, whole + part("f", picture(3), "b.png")):
        problem(before.post_body(cut, FORM, "classes/new/images"), 422, "invalid-upload")
    assert before.state() == state


@pytest.mark.parametrize("media_type", ["text/html", "application/xml", "video/mp4"])
@pytest.mark.parametrize("where", ["classes/new/images", "support", "predict"])
def test_a_body_of_another_kind_is_refused(before: Classifier, media_type: str, where: str) -> None:
    state = before.state()
    answer = before.post_body(GOOD, media_type, where)
    problem(answer, 415, "unsupported-media-type", repr(media_type), "curl")
    assert before.state() == state


def test_a_bare_image_is_no_support_of_many_classes(before: Classifier) -> None:
    answer = before.post_body(GOOD, "image/png", "support")
    problem(answer, 415, "unsupported-media-type", "image/png", "zip")


OUTSIDE = [
    "../up.png",
    "ant/../../up.png",
    "/etc/up.png",
    "..\\up.png",
    "C:\\up\\x.png",
    "a/../b/c",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_zip_that_names_files_outside_of_itself_is_refused(before: Classifier, name: str) -> None:
    state = before.state()
    archive = zipped({"new/1.png": GOOD, name: picture(3)})
    problem(before.post_zip(archive), 422, "invalid-upload", "outside of itself", repr(name))
    in_form = before.post_support({"new/2.png": picture(4), "all.zip": archive})
    problem(in_form, 422, "invalid-upload", "outside of itself", repr(name))
    assert before.state() == state


@pytest.mark.parametrize("name", ["../up.png", "ant/../up.png", "ant/./up.png"])
def test_a_form_file_whose_folder_is_no_label_is_refused(before: Classifier, name: str) -> None:
    state = before.state()
    answer = before.post_support({"new/1.png": GOOD, name: picture(3)})
    if name == "ant/./up.png":  # the same as ant/up.png
        assert answer.status_code == 201
    else:
        problem(answer, 422, "invalid-upload", "outside of itself", repr(name))
        assert before.state() == state


def test_a_file_without_folder_has_no_label(before: Classifier) -> None:
    state = before.state()
    by_form = before.post_support({"new/1.png": GOOD, "alone.png": picture(3)})
    problem(by_form, 422, "invalid-upload", "'alone.png' has no folder", "LABEL/IMAGE")
    by_zip = before.post_zip(zipped({"new/1.png": GOOD, "alone.png": picture(3)}))
    problem(by_zip, 422, "invalid-upload", "'alone.png' has no folder", "LABEL/IMAGE")
    assert before.state() == state


@pytest.mark.parametrize("label", ["a\u202eb", "x" * 256])
def test_a_folder_that_is_no_label_is_refused(before: Classifier, label: str) -> None:
    state = before.state()
    archive = zipped({"new/1.png": GOOD, f"{label}/1.png": picture(3)})
    problem(before.post_zip(archive), 422, "invalid-name")
    assert before.state() == state


def encrypted(archive: bytes) -> bytes:
    """Set the flag of encryption on every member, in the directory and in front of each file."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 1)
    return bytes(changed)


def damaged(archive: bytes) -> bytes:
    """Change the compressed bytes of the first member."""
    changed = bytearray(archive)
    start = 30 + len("new/1.png")
    changed[start + 5 : start + 25] = b"\xff" * 20
    return bytes(changed)


WHOLE = zipped({"new/1.png": GOOD, "new/2.png": picture(3)})


@pytest.mark.parametrize(
    ("archive", "told"),
    [
        (b"no zip", "no zip"),
        (WHOLE[:-30], "no zip"),
        (WHOLE[: len(WHOLE) // 2], "no zip"),
        (damaged(WHOLE), "damaged"),
        (encrypted(WHOLE), "password"),
    ],
    ids=["text", "without its end", "half", "damaged", "encrypted"],
)
def test_a_zip_that_cannot_be_read_is_refused(
    before: Classifier, archive: bytes, told: str
) -> None:
    state = before.state()
    problem(before.post_zip(archive), 422, "invalid-upload", told)
    problem(before.post_support({"all.zip": archive}), 422, "invalid-upload", told)
    assert before.state() == state


def test_a_zip_within_a_zip_is_no_image(before: Classifier) -> None:
    state = before.state()
    problem(before.post_zip(zipped({"new/inner.zip": WHOLE})), 422, "not-an-image", "inner.zip")
    assert before.state() == state


def test_a_link_in_a_zip_is_not_followed(before: Classifier) -> None:
    state = before.state()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("new/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    problem(before.post_zip(buffer.getvalue()), 422, "not-an-image", "new/link.png")
    assert before.state() == state


def test_an_upload_to_an_unknown_classifier_is_refused(before: Classifier) -> None:
    nobody = Classifier(before.http, "nobody")
    for answer in (
        nobody.post("ant", GOOD),
        nobody.post_support({"ant/1.png": GOOD}),
        nobody.post_zip(WHOLE),
        nobody.predict(GOOD),
        nobody.http.put(nobody.class_url("ant")),
        nobody.http.get(f"{nobody.url}/classes"),
    ):
        problem(answer, 404, "classifier-not-found", "'nobody'", "PUT /v1/classifiers/nobody")
    problem(before.http.get(nobody.url), 404, "classifier-not-found")


def test_an_upload_that_is_broken_off_changes_nothing(before: Classifier) -> None:
    state = before.state()
    body = part("f", GOOD, "a.png") + b"\r\n" + part("f", GOOD, "b.png")
    head = (
        f"POST {before.url}/classes/new/images HTTP/1.1\r\nHost: handful\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: {2 * len(body)}\r\n\r\n"
    )
    address = before.http.base_url
    with socket.create_connection((address.host, address.port)) as connection:
        connection.sendall(head.encode() + body)
    assert before.state() == state


def test_a_file_name_that_is_no_text_does_no_harm(before: Classifier) -> None:
    odd = r"\ud800.png"
    form = part("f", GOOD, odd) + b"\r\n--X--\r\n"
    answer = before.post_body(form, f"{FORM}; charset=unicode_escape", "classes/new/images")
    assert answer.status_code in {201, 422}, answer.text
    assert before.predictions(picture(100))[0]["label"] == "ant"


def test_the_service_serves_on_after_all_of_this(before: Classifier) -> None:
    for bad, *_ in BAD_IMAGES.values():
        before.predict(bad)
    assert before.predictions(picture(100))[0]["label"] == "ant"
