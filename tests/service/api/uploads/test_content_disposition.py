"""File names in forms: the bytes that clients send, and the labels that their users typed."""

from __future__ import annotations

import base64

import httpx2 as httpx
import pytest
import requests

from tests.service.client import Classifier, problem
from tests.service.pictures import picture, zipped

FORM = "multipart/form-data; boundary=X"
PNG = b"Content-Type: image/png\r\n"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A form of these headers and contents."""
    return b"".join(b"--X\r\n%s\r\n\r\n%s\r\n" % part for part in parts) + b"--X--\r\n"


def file(parameters: bytes, content: bytes = picture(1)) -> tuple[bytes, bytes]:
    return (PNG + b'Content-Disposition: form-data; name="files"; ' + parameters, content)


# What stands after the field's name, and the label.
SENT: dict[str, tuple[bytes, str]] = {
    # Captured, the same from all four: Chromium 156 (FormData), node 20.20, requests 2.34 and
    # curl 7.88.1 (which had `-F 'files=@a.jpg;filename="12\\" pizza/1.jpg"'` for the quotes).
    "browser, plain": (b'filename="cat/1.jpg"', "cat"),
    "browser, quotes": (b'filename="12%22 pizza/1.jpg"', '12" pizza'),
    "browser, UTF-8": ('filename="Äpfel/1.jpg"'.encode(), "Äpfel"),
    "browser, per cent": (b'filename="50%25 off/1.jpg"', "50%25 off"),
    "browser, semicolon": (b'filename="a; b=c/1.jpg"', "a; b=c"),
    "browser on Windows": (b'filename="cat\\1.jpg"', "cat"),
    # Captured from aiohttp 3.14.5: the type comes first, the name is percent-encoded as a whole.
    "aiohttp, plain": (b'filename="cat%2F1.jpg"', "cat"),
    "aiohttp, quotes": (b'filename="12%22%20pizza%2F1.jpg"', '12" pizza'),
    "aiohttp, UTF-8": (b'filename="%C3%84pfel%2F1.jpg"', "Äpfel"),
    # The rest is written from specifications and reports, not captured. RFC 2616's quoted pairs,
    # as aiohttp has them with quote_fields=False, and curl before 7.81:
    "quoted pair": (b'filename="12\\" pizza/1.jpg"', '12" pizza'),
    # RFC 2047 and RFC 5987 together, as .NET's MultipartFormDataContent does (corefx#22806).
    ".NET": (
        b"filename=\"=?utf-8?B?w4RwZmVsLzEuanBn?=\"; filename*=utf-8''%C3%84pfel%2F1.jpg",
        "Äpfel",
    ),
    ".NET, encoded word alone": (b'filename="=?utf-8?B?w4RwZmVsLzEuanBn?="', "Äpfel"),
    ".NET, without quotes": (b"filename=cat/1.jpg", "cat"),
    # The same with letters quoted, as Spring does.
    "Spring": (
        b"filename=\"=?UTF-8?Q?=C3=84pfel/1.jpg?=\"; filename*=UTF-8''%C3%84pfel%2F1.jpg",
        "Äpfel",
    ),
    "Java mail, folded words": (b'filename="=?UTF-8?Q?=C3=84pf?= =?UTF-8?Q?el/1.jpg?="', "Äpfel"),
    # RFC 2231, as urllib3 before 2 did.
    "older urllib3": (b"filename*=utf-8''%C3%84pfel%2F1.jpg", "Äpfel"),
    "filename* with a language": (b"filename*=ISO-8859-1'de'%C4pfel%2F1.jpg", "Äpfel"),
    "a broken filename*": (b"filename=\"cat/1.jpg\"; filename*=UTF-8''%FF", "cat"),
    "Russian Windows": ('filename="кошка/собака кошка.jpg"'.encode("cp1251"), "кошка"),
}


@pytest.mark.parametrize("client", SENT)
def test_the_label_is_the_one_that_the_senders_user_typed(
    classifier: Classifier, client: str
) -> None:
    parameters, label = SENT[client]
    answer = classifier.post_body(form(file(parameters)), FORM, "support")
    assert answer.status_code == 201, answer.text
    [image] = answer.json()["images"]
    assert image["label"] == label
    assert image["filename"].replace("\\", "/").startswith(f"{label}/")
    # For a class, the name is only shown.
    assert classifier.post_body(form(file(parameters)), FORM).status_code == 201


@pytest.mark.parametrize("label", ["cat", '12" pizza', "Äpfel", "50%25 off", "a;b", "it's", "香蕉"])
def test_clients_of_python_send_labels_round(
    classifier: Classifier, http: httpx.Client, label: str
) -> None:
    name = f"{label}/1.png"
    url = f"{http.base_url}{classifier.url}/support".replace("//v1", "/v1")
    by_requests = requests.post(url, files=[("f", (name, picture(1)))], timeout=60).json()
    by_httpx = classifier.post_support({name: picture(1)}).json()
    assert [i["label"] for i in (*by_requests["images"], *by_httpx["images"])] == [label] * 2


PARTS: dict[str, bytes] = {
    "image": b'Content-Disposition: form-data; name="f"\r\nContent-Type: image/jpeg',
    "any bytes": b'Content-Disposition: form-data; name="f"\r\n'
    b"Content-Type: application/octet-stream",
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_without_file_name_is_a_file_where_its_type_is_one(
    classifier: Classifier, kind: str
) -> None:
    classifier.post("ant", picture(1))
    for content in (picture(1), picture(1) + bytes(2_000_000)):
        answer = classifier.post_body(form((PARTS[kind], content)), FORM, "predict")
        assert answer.status_code == 200, answer.text
    answer = classifier.post_body(form((PARTS[kind], picture(2))), FORM, "classes/ant/images")
    assert answer.json()["created"] == 1
    refused = classifier.post_body(form((PARTS[kind], picture(2))), FORM, "support")
    problem(refused, 422, "invalid-upload", "cat/a.jpg")


def test_a_zip_without_file_name_is_one_by_its_type(classifier: Classifier) -> None:
    header = b'Content-Disposition: form-data; name="f"\r\nContent-Type: application/zip'
    archive = zipped({"ant/1.png": picture(1)})
    assert classifier.post_body(form((header, archive)), FORM, "support").status_code == 201
    assert classifier.counts() == {"ant": 1}


def test_a_text_part_is_told_what_makes_it_a_file(classifier: Classifier) -> None:
    plain = b'Content-Disposition: form-data; name="f"'
    for content in (b"text", bytes(2_000_000)):
        answer = classifier.post_body(form((plain, content)), FORM, "predict")
        problem(answer, 422, "invalid-upload", "'f'", "file name", "Content-Type")


def test_a_part_in_base64_is_decoded(classifier: Classifier) -> None:
    header, content = file(b'filename="cat/1.png"')
    header += b"\r\nContent-Transfer-Encoding: base64"
    sent = form((header, base64.encodebytes(content).replace(b"\n", b"\r\n")))
    assert classifier.post_body(sent, FORM, "support").status_code == 201
    broken = form((header.replace(b"base64", b"uuencode"), content))
    problem(classifier.post_body(broken, FORM, "support"), 422, "invalid-upload", "as they are")


def test_a_field_in_which_no_file_was_chosen_is_left_out(classifier: Classifier) -> None:
    empty = (b'Content-Disposition: form-data; name="g"; filename=""', b"")
    sent = form(file(b'filename="cat/1.png"'), empty)
    assert classifier.post_body(sent, FORM, "support").json()["created"] == 1
    problem(classifier.post_body(form(empty), FORM, "predict"), 422, "empty-upload")


@pytest.mark.parametrize("where", ["support", "classes/cat/images", "predict"])
@pytest.mark.parametrize("control", [b"\0", b"%0A", b"%0D", b"\x1b[31m", b"\x7f"])
def test_control_characters_in_file_names_are_refused(
    classifier: Classifier, where: str, control: bytes
) -> None:
    classifier.post("cat", picture(9))
    before = classifier.state()
    answer = classifier.post_body(form(file(b'filename="cat/%s.jpg"' % control)), FORM, where)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "invalid-upload"
    assert classifier.state() == before
