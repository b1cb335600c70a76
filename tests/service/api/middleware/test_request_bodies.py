"""Bodies by what they are, compressed ones, and how many bytes may be in flight."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import hypothesis.strategies as st
import pytest
from fastapi_problem.error import StatusProblem
from hypothesis import example, given, settings
from starlette.requests import Request

from service.api.middleware.bytes_in_flight import BytesInFlight, account_of
from service.api.middleware.content_coding import StreamDecoder, coding
from service.api.middleware.request_bodies import RequestBodies
from service.problems import InvalidUpload, Overloaded, UnsupportedMediaType
from service.settings import Settings
from tests.service.client import Classifier, files, problem
from tests.service.conftest import SMALL, Small
from tests.service.pictures import encoded, noise, picture, zipped

MIB = 2**20


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


CODED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "upper case": ("GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its frame": ("deflate", raw_deflate),
    "members": ("gzip", lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:])),
    "padded": ("gzip", lambda body: gzip.compress(body) + bytes(10_000)),
    "identity": ("identity", bytes),
}


@pytest.mark.parametrize("case", CODED)
def test_a_compressed_image_is_answered_as_the_image_itself(
    classifier: Classifier, case: str
) -> None:
    named, encode = CODED[case]
    assert classifier.post("ant", picture(1)).status_code == 201
    body = encoded(noise(2, (300, 200)), "BMP")
    plain = classifier.post_body(body, "image/bmp", "predict").json()
    answer = classifier.http.post(
        f"{classifier.url}/predict",
        content=encode(body),
        headers={"content-type": "image/bmp", "content-encoding": named},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == plain


def test_compressed_forms_zips_and_settings_are_taken(classifier: Classifier) -> None:
    http = classifier.http

    def post(where: str, body: bytes, content_type: str, method: str = "POST") -> int:
        headers = {"content-type": content_type, "content-encoding": "gzip"}
        url = f"{classifier.url}{where}"
        return http.request(method, url, content=gzip.compress(body), headers=headers).status_code

    form = http.build_request("POST", "/", files=files(picture(1), picture(2)))
    assert post("/classes/ant/images", form.read(), form.headers["content-type"]) == 201
    assert post("/support", zipped({"bee/1.png": picture(3)}), "application/zip") == 201
    assert post("", json.dumps({"coverage": 0.9}).encode(), "application/json", "PUT") == 200
    assert classifier.counts() == {"ant": 2, "bee": 1}
    assert http.get(classifier.url).json()["coverage"] == 0.9


@pytest.mark.parametrize("named", ["br", "zstd", "gzip, gzip", "gzip, br", "x-deflated"])
def test_an_unknown_coding_is_415_and_says_which_are_taken(
    classifier: Classifier, named: str
) -> None:
    answer = classifier.http.post(
        f"{classifier.url}/predict",
        content=picture(1),
        headers={"content-type": "image/png", "content-encoding": named},
    )
    problem(answer, 415, "unsupported-media-type", repr(named), "gzip", "deflate")
    assert answer.headers["accept-encoding"] == "gzip, deflate"


DAMAGED = {
    "no gzip": picture(1),
    "cut short": gzip.compress(picture(1))[:-20],
    "wrong checksum": gzip.compress(picture(1))[:-8] + bytes(8),
    "something behind": gzip.compress(picture(1)) + b"x",
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("where", ["predict", "classes/ant/images"])
def test_a_damaged_compressed_body_is_refused(
    classifier: Classifier, case: str, where: str
) -> None:
    answer = classifier.http.post(
        f"{classifier.url}/{where}",
        content=DAMAGED[case],
        headers={"content-type": "image/png", "content-encoding": "gzip"},
    )
    problem(answer, 422, "invalid-upload", "gzip", "Content-Encoding")


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress])
@pytest.mark.parametrize(
    ("where", "content_type", "limit"),
    [
        ("predict", "image/png", "max_image_bytes"),
        ("predict", "multipart/form-data; boundary=X", "max_request_bytes"),
        ("support", "application/zip", "max_request_bytes"),
    ],
)
def test_a_bomb_is_refused_at_the_limit_of_what_it_says_to_be(
    small: Classifier,
    encode: Callable[[bytes], bytes],
    where: str,
    content_type: str,
    limit: str,
) -> None:
    small.post("ant", picture(1))
    start = b'--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    body = encode(
        (start if "form" in content_type else b"") + bytes(SMALL["max_request_bytes"] + 1)
    )
    assert len(body) < 1000
    answer = small.http.post(
        f"{small.url}/{where}",
        content=body,
        headers={
            "content-type": content_type,
            "content-encoding": "gzip" if encode is gzip.compress else "deflate",
        },
    )
    kind = "image-too-large" if limit == "max_image_bytes" else "request-too-large"
    problem(answer, 413, kind, str(SMALL[limit]), f"HANDFUL_{limit.upper()}")


@given(
    body=st.binary(max_size=5000) | st.integers(0, 300_000).map(bytes),
    cuts=st.lists(st.integers(1, 4000), min_size=1, max_size=50),
    named=st.sampled_from(["gzip", "deflate", "raw"]),
    members=st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
@example(body=bytes(162_606), cuts=[4000], named="gzip", members=2)  # once began again for ever
def test_stream_decoder_gives_the_body_however_it_is_cut(
    body: bytes, cuts: list[int], named: str, members: int
) -> None:
    encoders: dict[str, Callable[[bytes], bytes]]
    encoders = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}
    encode = encoders[named]
    sent = encode(body) * (members if named == "gzip" else 1)
    decoder = StreamDecoder("gzip" if named == "gzip" else "deflate")
    came = []
    for cut in [*cuts, len(sent)]:
        chunk, sent = sent[:cut], sent[cut:]
        decoder.feed(chunk)
        while piece := decoder.piece():
            assert len(piece) <= 2**16
            came.append(piece)
            assert len(came) <= 1000
    decoder.finish()
    assert b"".join(came) == body * (members if named == "gzip" else 1)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
@settings(max_examples=300, deadline=None)
def test_stream_decoder_decodes_or_refuses_any_bytes(junk: bytes, named: str) -> None:
    decoder = StreamDecoder(named)
    decoder.feed(junk)
    with suppress(InvalidUpload):
        while decoder.piece():
            pass
        decoder.finish()


def test_a_million_empty_members_cost_no_more_than_their_size() -> None:
    decoder = StreamDecoder("gzip")
    chunk = gzip.compress(b"", mtime=0) * 3000  # what arrives at a time
    began = time.process_time()
    for _ in range(10):
        decoder.feed(chunk)
        assert decoder.piece() == b""
    decoder.finish()
    assert time.process_time() - began < 5  # 0.1 s; 30 s if zlib copied the rest for each


def test_codings_are_told_from_the_header() -> None:
    assert [coding(one) for one in ("", "identity", " gzip ", "X-GZIP", "deflate")] == [
        None,
        None,
        "gzip",
        "gzip",
        "deflate",
    ]
    with pytest.raises(UnsupportedMediaType):
        coding("compress")


# How bytes are admitted


def account(budget: BytesInFlight) -> Iterator[Request]:
    request = Request({"type": "http"})
    with budget.account(request.scope):
        yield request


opened = contextmanager(account)


def test_bytes_are_admitted_up_to_the_budget_and_given_back() -> None:
    budget = BytesInFlight(4 * MIB)
    with opened(budget) as first:
        account_of(first).take(2 * MIB)
        with opened(budget) as second:
            account_of(second).take(MIB)
            with pytest.raises(Overloaded) as refused:
                account_of(second).take(MIB)
            assert (refused.value.headers or {})["retry-after"] == "2"
            account_of(second).take(0)
        with opened(budget) as third:
            account_of(third).take(MIB)


def test_large_requests_leave_a_quarter_to_small_ones() -> None:
    budget = BytesInFlight(8 * MIB)
    with opened(budget) as large, opened(budget) as other, opened(budget) as small:
        account_of(large).take(5 * MIB)
        account_of(other).take(MIB)
        with pytest.raises(Overloaded):
            account_of(other).take(1)
        account_of(small).take(MIB)
        with pytest.raises(Overloaded):
            account_of(small).expect(1)


def test_a_request_that_is_alone_is_admitted_however_large() -> None:
    budget = BytesInFlight(MIB)
    with opened(budget) as alone, opened(budget) as late:
        account_of(alone).expect(100 * MIB)
        account_of(alone).take(100 * MIB)
        with pytest.raises(Overloaded):
            account_of(late).take(1)


def test_a_request_that_fails_gives_its_bytes_back() -> None:
    budget = BytesInFlight(MIB)
    with suppress(ArithmeticError), opened(budget) as request:
        account_of(request).take(MIB)
        raise ArithmeticError
    with opened(budget) as other, opened(budget) as another:
        account_of(other).take(MIB // 2)
        account_of(another).take(MIB // 2)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * MIB)), max_size=40), st.randoms())
def test_bytes_in_flight_never_exceed_the_budget_except_for_a_lone_request(
    takes: list[tuple[int, int]], rng: random.Random
) -> None:
    budget = BytesInFlight(8 * MIB)
    managers = [opened(budget) for _ in range(6)]
    requests = [manager.__enter__() for manager in managers]
    for number, size in takes:
        with suppress(Overloaded):
            account_of(requests[number]).take(size)
        held = [account_of(request).held for request in requests]
        assert sum(held) <= 8 * MIB or sum(map(bool, held)) == 1
    rng.shuffle(managers)
    for manager in managers:
        manager.__exit__(None, None, None)
    assert budget._held == 0


# Clients that are still sending


def connected(small_service: Small) -> socket.socket:
    url = urlsplit(str(small_service.http.base_url))
    return socket.create_connection((url.hostname or "", url.port or 0), timeout=30)


def head(small: Classifier, *lines: str, where: str = "predict") -> bytes:
    first = f"POST {small.url}/{where} HTTP/1.1"
    return "\r\n".join([first, "host: 127.0.0.1", *lines, "", ""]).encode()


def first_answer(connection: socket.socket) -> bytes:
    """The head of the answer; its body, as long as it says, is read as well."""
    answer, length = b"", 0
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < length:
        came = connection.recv(65536)
        assert came, answer
        answer += came
        if found := re.search(rb"content-length: (\d+)", answer.lower()):
            length = int(found[1])
    return answer.partition(b"\r\n\r\n")[0]


def test_a_refusal_comes_while_the_client_still_sends(
    small: Classifier, small_service: Small
) -> None:
    small.post("ant", picture(1))
    with connected(small_service) as connection:
        connection.sendall(
            head(small, "content-type: image/png", f"content-length: {10**12}") + b"x"
        )
        answer = first_answer(connection)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()
        connection.sendall(bytes(1_000_000))  # it is drained, not reset
        assert small.predict(picture(1)).status_code == 200


def test_a_client_that_asks_first_is_refused_before_it_sends(
    small: Classifier, small_service: Small
) -> None:
    small.post("ant", picture(1))
    with connected(small_service) as connection:
        connection.sendall(
            head(
                small,
                "content-type: image/png",
                "content-length: 1000000",
                "expect: 100-continue",
            )
        )
        assert first_answer(connection).startswith(b"HTTP/1.1 413 ")
    with connected(small_service) as connection:
        body = picture(2)
        connection.sendall(
            head(
                small,
                "content-type: image/png",
                f"content-length: {len(body)}",
                "expect: 100-continue",
            )
        )
        assert first_answer(connection).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert first_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_refused_client_that_goes_on_sending_holds_no_bytes(
    small: Classifier, small_service: Small
) -> None:
    small.post("ant", picture(1))
    form = "content-type: multipart/form-data; boundary=X"
    part = b'--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    with connected(small_service) as connection:
        sent = part + bytes(SMALL["max_request_bytes"])
        connection.sendall(head(small, form, "transfer-encoding: chunked"))
        connection.sendall(b"%x\r\n%s\r\n" % (len(sent), sent))
        assert first_answer(connection).startswith(b"HTTP/1.1 413 ")
        metrics = small.http.get("/metrics").text
        assert re.search(r"^handful_bytes_in_flight 0\.0$", metrics, re.MULTILINE), metrics


@pytest.mark.parametrize("content_type", ["application/zip+json", "image/png", "multipart/x"])
def test_put_bodies_are_limited_as_json_whatever_their_type(
    classifier: Classifier, content_type: str
) -> None:
    body = json.dumps({"templates": ["a" * MIB]}).encode()
    answer = classifier.http.put(
        classifier.url, content=body, headers={"content-type": content_type}
    )
    problem(answer, 413, "request-too-large", "HANDFUL_MAX_JSON_BYTES")


def test_a_refusal_of_a_body_that_came_whole_keeps_the_connection(
    small: Classifier, small_service: Small
) -> None:
    small.post("ant", picture(1))
    body = gzip.compress(b"no image at all" * 100)[:-5]
    with connected(small_service) as connection:
        for _ in range(2):
            connection.sendall(
                head(
                    small,
                    "content-type: image/png",
                    "content-encoding: gzip",
                    f"content-length: {len(body)}",
                )
                + body
            )
            answer = first_answer(connection)
            assert answer.startswith(b"HTTP/1.1 422 ")
            assert b"connection: close" not in answer.lower()


def test_json_of_images_is_as_large_as_a_form(small: Classifier) -> None:
    small.post("ant", picture(1))
    state = small.state()
    body = json.dumps({"image": "A" * 2 * SMALL["max_request_bytes"]}).encode()
    for where in ("predict", "classes/ant/images", "support"):
        answer = small.post_body(body, "application/json", where)
        problem(answer, 413, "request-too-large", "HANDFUL_MAX_REQUEST_BYTES")
        answer = small.post_body(body[:50] + b'"}', "application/json", where)
        problem(answer, 422, "request-validation-failed", "images is missing")
    answer = small.post_body(body, "application/json", "suggest")
    problem(answer, 415, "unsupported-media-type", "curl", "multipart/form-data")
    assert small.state() == state


class Streaming:
    """An application that streams an answer and listens for its client's end, as Starlette does.

    Args:
        listens_first: Whether it hears of the body before it has begun to answer; it begins all
            the same.
    """

    def __init__(self, *, listens_first: bool) -> None:
        self._listens_first = listens_first

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begin = {"type": "http.response.start", "status": 200, "headers": []}
        if self._listens_first:
            try:
                await receive()
            except StatusProblem as problem:
                await send(begin)
                raise RuntimeError("the answer has begun") from problem
        await send(begin)
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def streamed(coding: bytes, body: bytes, *, listens_first: bool) -> list[Any]:
    """What is sent to a client whose body nobody wants."""
    told = [{"type": "http.disconnect"}, {"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return told.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    fields = [(b"content-length", b"%d" % len(body)), (b"content-encoding", coding)]
    scope = {"type": "http", "method": "GET", "path": "/v1/classifiers/a/export", "headers": fields}
    streaming = Streaming(listens_first=listens_first)
    settings = Settings(max_json_bytes=1000)
    bodies = RequestBodies(streaming, settings, BytesInFlight(MIB), lambda _: False)
    asyncio.run(bodies(scope, receive, send))
    return sent


UNREADABLE = [(b"br", b"a", 415), (b"gzip", b"abc", 422), (b"identity", b"a" * 2000, 413)]


@pytest.mark.parametrize(("coding", "body", "status"), UNREADABLE)
def test_a_body_that_nobody_reads_is_refused_before_an_answer_or_not_at_all(
    coding: bytes, body: bytes, status: int
) -> None:
    start, end = streamed(coding, body, listens_first=False)
    assert (start["status"], end["body"]) == (200, b"")
    start, end, *_ = streamed(coding, body, listens_first=True)
    assert start["status"] == json.loads(end["body"])["status"] == status


def test_other_errors_are_not_taken_for_refusals() -> None:
    async def failing(_: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("a defect")

    async def receive() -> Any:
        return {"type": "http.request", "body": b"a", "more_body": False}

    async def send(_: Any) -> None:
        """Nothing is said."""

    bodies = RequestBodies(failing, Settings(), BytesInFlight(MIB), lambda _: False)
    scope = {"type": "http", "method": "PUT", "path": "/", "headers": [(b"content-length", b"1")]}
    with pytest.raises(RuntimeError, match="a defect"):
        asyncio.run(bodies(scope, receive, send))
