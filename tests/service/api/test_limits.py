"""Limits of the settings, on a service where they are low."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.service.client import Classifier, problem
from tests.service.conftest import SMALL
from tests.service.pictures import encoded, noise, picture, zipped


@pytest.fixture
def before(small: Classifier) -> Classifier:
    """A classifier of the small service with something in it that must stay as it is."""
    assert small.post("ant", picture(100)).status_code == 201
    return small


def in_pieces(body: bytes) -> Iterator[bytes]:
    """A body whose length is not declared."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def test_an_image_of_too_many_pixels_is_refused(before: Classifier) -> None:
    state = before.state()
    flat = encoded(Image.new("L", (200, 100)))
    assert len(flat) < 1000
    problem(before.post("ant", flat), 413, "image-too-large", "200 x 100", "10000", "'0.png'")
    problem(before.predict(picture(1), flat), 413, "image-too-large", "200 x 100", "'1.png'")
    assert before.state() == state


def test_an_image_of_as_many_pixels_as_allowed_is_taken(before: Classifier) -> None:
    assert before.post("ant", encoded(Image.new("L", (100, 100)))).status_code == 201


def test_a_file_of_too_many_bytes_is_refused(before: Classifier) -> None:
    state = before.state()
    large = encoded(noise(1, (90, 90)), "BMP")
    assert len(large) > SMALL["max_image_bytes"]
    told = (str(len(large)), str(SMALL["max_image_bytes"]))
    problem(before.post("ant", picture(1), large), 413, "image-too-large", *told, "'1.png'")
    problem(before.post_body(large, "image/bmp", "predict"), 413, "image-too-large", *told)
    problem(before.post_zip(zipped({"new/1.bmp": large})), 413, "image-too-large", "new/1.bmp")
    assert before.state() == state


def test_too_many_images_in_a_request_are_refused(before: Classifier) -> None:
    state = before.state()
    many = [picture(i) for i in range(6)]
    named = {f"new/{i}.png": image for i, image in enumerate(many)}
    two_zips = {
        "a.zip": zipped({f"new/{i}.png": many[i] for i in range(3)}),
        "b.zip": zipped({f"new/{i}.png": many[i] for i in range(3, 6)}),
    }
    for answer in (
        before.post("new", *many),
        before.post_support(named),
        before.post_zip(zipped(named)),
        before.post_support(two_zips),
        before.predict(*many),
    ):
        problem(answer, 413, "request-too-large", "At most 5 images")
    assert before.state() == state


def test_as_many_images_as_allowed_are_taken(before: Classifier) -> None:
    assert before.post("ant", *(picture(i) for i in range(5))).json()["created"] == 5


def test_a_body_that_is_declared_too_large_is_refused(before: Classifier) -> None:
    state = before.state()
    body = b"x" * (SMALL["max_request_bytes"] + 1)
    for where in ("classes/new/images", "support", "predict"):
        answer = before.post_body(body, FORM, where)
        problem(answer, 413, "request-too-large", str(SMALL["max_request_bytes"]))
    image = b"x" * (SMALL["max_image_bytes"] + 1)
    for where in ("classes/new/images", "predict"):
        answer = before.post_body(image, "image/png", where)
        problem(answer, 413, "image-too-large", str(len(image)), str(SMALL["max_image_bytes"]))
    answer = before.http.put(before.url, content=body, headers={"content-type": "application/json"})
    problem(answer, 413, "request-too-large", str(SMALL["max_request_bytes"]))
    assert before.state() == state


FORM = "multipart/form-data; boundary=X"
FORM_START = b'--X\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'


@pytest.mark.parametrize(
    ("method", "where", "media_type", "start"),
    [
        ("POST", "/classes/new/images", "image/png", b""),
        ("POST", "/classes/new/images", FORM, FORM_START),
        ("POST", "/support", FORM, FORM_START),
        ("POST", "/support", "application/zip", b""),
        ("POST", "/predict", "image/png", b""),
        ("PUT", "", "application/json", b'{"templates": ["'),
    ],
)
def test_a_body_of_undeclared_length_is_refused_when_it_grows_too_large(
    before: Classifier, method: str, where: str, media_type: str, start: bytes
) -> None:
    state = before.state()
    body = start + b"x" * (2 * SMALL["max_request_bytes"])
    answer = before.http.request(
        method,
        before.url + where,
        content=in_pieces(body),
        headers={"content-type": media_type},
    )
    image = media_type == "image/png"
    kind, limit = ("image", "max_image_bytes") if image else ("request", "max_request_bytes")
    problem(answer, 413, f"{kind}-too-large", str(SMALL[limit]))
    assert before.state() == state


def test_a_body_of_undeclared_length_within_the_limit_is_taken(before: Classifier) -> None:
    answer = before.http.post(
        f"{before.url}/classes/new/images",
        content=in_pieces(picture(1)),
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 201


def test_a_zip_that_unpacks_to_too_much_is_refused(before: Classifier) -> None:
    state = before.state()
    # 76 KB of images from an archive of one: five flat pictures without compression.
    flat = {
        f"new/{i}.bmp": encoded(Image.fromarray(np.full((70, 72, 3), i, np.uint8)), "BMP")
        for i in range(5)
    }
    archive = zipped(flat)
    assert len(archive) < 5000
    assert sum(map(len, flat.values())) > SMALL["max_unpacked_bytes"]
    answer = before.post_zip(archive)
    problem(answer, 413, "request-too-large", "unpacks", str(SMALL["max_unpacked_bytes"]))
    assert before.state() == state


def test_a_zip_bomb_is_refused(before: Classifier) -> None:
    state = before.state()
    archive = zipped({"new/bomb.png": bytes(50_000_000)})
    assert len(archive) < SMALL["max_request_bytes"]
    problem(before.post_zip(archive), 413, "image-too-large", "new/bomb.png")
    assert before.state() == state


def test_a_zip_that_lies_about_sizes_is_refused(before: Classifier) -> None:
    state = before.state()
    archive = zipped({"new/bomb.png": bytes(1_000_000)})
    lie = archive.replace((1_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lie != archive
    answer = before.post_zip(lie)
    assert answer.status_code in {413, 422}, answer.text
    problem(answer, answer.status_code, answer.json()["type"])
    assert before.state() == state


def test_several_zips_of_one_request_count_together(before: Classifier) -> None:
    state = before.state()
    flat = [encoded(Image.fromarray(np.full((70, 72, 3), i, np.uint8)), "BMP") for i in range(4)]
    zips = {f"{i}.zip": zipped({f"new/{i}.bmp": image}) for i, image in enumerate(flat)}
    problem(before.post_support(zips), 413, "request-too-large", "unpack")
    assert before.state() == state


def test_too_many_classes_are_refused(before: Classifier) -> None:
    before.post("bee", picture(1))
    state = before.state()
    before_put = before.http.put(before.url, json={"classes": ["cat", "dog"]})
    problem(before_put, 413, "request-too-large", "4 classes", "at most 3")
    answer = before.post_support({"cat/1.png": picture(2), "dog/1.png": picture(3)})
    problem(answer, 413, "request-too-large", "4 classes", "at most 3")
    assert before.state() == state
    assert before.post("cat", picture(2)).status_code == 201
    problem(before.http.put(before.class_url("dog")), 413, "request-too-large", "4 classes")


def test_images_that_are_not_kept_still_support_their_class(before: Classifier) -> None:
    [posted] = before.post("ant", picture(1)).json()["images"]
    listed = before.get_class("ant").json()["images"]
    assert posted["id"] in [image["id"] for image in listed]
    got = before.http.get(f"{before.class_url('ant')}/images/{posted['id']}")
    problem(got, 404, "image-not-stored", "HANDFUL_STORE_IMAGES")
    [answer] = before.predictions(picture(1))
    assert answer["evidence"][0]["image_id"] == posted["id"]
    duplicate = before.post("ant", picture(1)).json()
    assert (duplicate["created"], duplicate["duplicates"]) == (0, 1)
