"""Clients that are silent, slow, endless or many, on a real service with short time-outs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.attacked import Attacked
from tests.service.client import Classifier
from tests.service.conftest import EDGE, Edge
from tests.service.pictures import picture
from tests.service.sockets import HEALTHZ, Answers, Bare, head

HEAD_SECONDS = float(str(EDGE["head_seconds"]))
IDLE_SECONDS = float(str(EDGE["keep_alive_seconds"]))
STALL_SECONDS = float(str(EDGE["stall_seconds"]))
MOST = int(str(EDGE["max_connections"]))
CHUNKED = head(
    "PUT",
    "/v1/classifiers/never",
    content_type="application/json",
    transfer_encoding="chunked",
)
LAST = head("GET", "/healthz", connection="close")


@pytest.fixture(scope="module")
def url(edge: Edge) -> str:
    return edge.server.url


@pytest.fixture(scope="module")
def made(edge: Edge) -> Classifier:
    made = Classifier(edge.http, "connected")
    made.put().raise_for_status()
    return made


def said(url: str, *pieces: bytes) -> Answers:
    return Bare(url).send(*pieces).answers()


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /" + b"a" * 70_000,),
        (HEALTHZ[:-2] + b"x: " + b"a" * 70_000,),
        (HEALTHZ[:-2] + b"a: b\r\n" * 129 + b"\r\n",),
        (HEALTHZ[:-2], *[b"a: b\r\n"] * 20_000),
        (b"\r\n" * 40_000,),
        (CHUNKED, b"5;" + b"a" * 300_000),
        (CHUNKED, b"1\r\nx\r\n", b"0\r\n", *[b"a: b\r\n" * 100] * 500),
    ],
    ids=["target", "field", "fields", "endless", "empty lines", "chunk extension", "trailers"],
)
def test_a_head_that_is_too_large_is_answered_with_431(url: str, pieces: tuple[bytes, ...]) -> None:
    said(url, *pieces).problem(431, "request-head-too-large")


def test_a_head_of_almost_the_limit_is_taken(url: str) -> None:
    fields = b"".join(b"x-%d: %s\r\n" % (i, b"a" * 600) for i in range(100))
    assert said(url, LAST[:-2], fields, b"\r\n").statuses == [200]


def test_others_are_answered_while_a_head_of_300_megabytes_comes(edge: Edge) -> None:
    def flood(_: int) -> Answers:
        return said(edge.server.url, HEALTHZ[:-2], b"x: ", *[b"a" * 1_000_000] * 300)

    def attack() -> None:
        with ThreadPoolExecutor(2) as threads:
            for one in threads.map(flood, range(2)):
                one.problem(431, "request-head-too-large", "65536")

    attacked = Attacked(edge.server, edge.http)
    attacked.stands(attack, mib=1)
    edge.http.delete(attacked.normal.url).raise_for_status()


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET / FTP/1.1\r\n\r\n"]
)
def test_bytes_that_are_no_http_are_answered_with_400(url: str, sent: bytes) -> None:
    said(url, sent).problem(400, "malformed-request", "HTTP/1.1")


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 3\r\n",
        b"content-length: 3\r\ncontent-length: 4\r\n",
        b"content-length: +3\r\n",
        b"content-length : 3\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: ,chunked\r\n",
    ],
)
def test_a_body_with_two_ends_is_answered_with_400(url: str, framing: bytes) -> None:
    """What two programs on the way could take for different requests (request smuggling)."""
    said(url, b"POST /healthz HTTP/1.1\r\nhost: localhost\r\n" + framing + b"\r\nabc").problem(
        400, "malformed-request", "HTTP/1.1"
    )


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b" CHUNKED "])
def test_chunks_are_told_of_in_any_case(url: str, coding: bytes) -> None:
    sent = LAST[:-2] + b"transfer-encoding:" + coding + b"\r\n\r\n0\r\n\r\n"
    assert said(url, sent).statuses == [200]


@pytest.mark.parametrize("hosts", [b"", b"host: localhost\r\nHost: localhost\r\n"])
def test_a_request_without_its_one_host_is_answered_with_400(url: str, hosts: bytes) -> None:
    said(url, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n").problem(
        400, "malformed-request", "Host"
    )


def test_options_of_the_server_as_a_whole_are_answered(url: str) -> None:
    assert said(url, head("OPTIONS", "*", connection="close")).statuses == [204]
    assert said(url, head("GET", "*", connection="close")).statuses == [404]


@pytest.mark.parametrize("path", ["/healthz", "/v1/classifiers", "/nothing", "/nothing\t"])
def test_no_answer_is_sniffed_and_no_page_is_told_of_paths(url: str, path: str) -> None:
    told = said(url, head("GET", path, connection="close")).told.lower()
    assert told.count(b"x-content-type-options: nosniff\r\n") == 1
    assert told.count(b"referrer-policy: no-referrer\r\n") == 1


def test_a_request_of_http_1_0_needs_no_host(url: str) -> None:
    assert said(url, b"GET /healthz HTTP/1.0\r\n\r\n").statuses == [200]


def test_a_connection_that_says_nothing_is_closed(url: str) -> None:
    answers = said(url)
    assert answers.told == b""
    assert answers.seconds >= HEAD_SECONDS


def test_a_head_that_comes_slowly_is_answered_with_408(url: str) -> None:
    letters = (b"%c" % letter for letter in HEALTHZ * 10)
    answers = Bare(url).trickle(letters, 0.1).answers()
    answers.problem(408, "request-timeout", "HANDFUL_HEAD_SECONDS")
    assert answers.seconds >= HEAD_SECONDS


@pytest.mark.parametrize("pieces", [1, 1000], ids=["stalls", "a byte at a time"])
def test_a_body_that_comes_slowly_is_answered_with_408_and_changes_nothing(
    url: str, made: Classifier, pieces: int
) -> None:
    state = made.state()
    length = 10_000
    upload = head(
        "POST", f"{made.class_url('ant')}/images", content_type="image/png", content_length=length
    )
    answers = Bare(url).send(upload).trickle([b"x"] * pieces, 0.2).answers()
    answers.problem(408, "request-timeout", "HANDFUL_STALL_SECONDS")
    assert answers.seconds >= STALL_SECONDS
    assert made.state() == state


def test_a_body_that_pauses_for_less_is_taken(url: str, made: Classifier) -> None:
    body = picture(1)
    upload = head(
        "POST", f"{made.url}/classes/bee/images", content_type="image/png", content_length=len(body)
    )
    half = Bare(url).send(upload, body[:100])
    time.sleep(STALL_SECONDS / 3)
    half.send(body[100:])
    assert half.answer() == 201
    half.close()


def test_an_answer_that_nobody_reads_is_thrown_away(url: str) -> None:
    large = head("GET", "/static-offline-docs/redoc.standalone.js")
    reader = Bare(url, receive_buffer=4096).send(large * 8)
    time.sleep(STALL_SECONDS + 2)
    answers = reader.answers()
    assert answers.statuses[0] == 200
    length = int(answers.told.split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(answers.told) < 8 * length


def test_a_connection_is_kept_for_the_next_request_but_not_for_ever(url: str) -> None:
    connection = Bare(url).send(HEALTHZ)
    assert connection.answer() == 200
    time.sleep(IDLE_SECONDS / 3)
    begun = time.monotonic()
    assert connection.send(HEALTHZ).answer() == 200
    assert connection.answers().told == b""
    assert time.monotonic() - begun >= IDLE_SECONDS


def test_what_follows_a_refused_request_is_read_so_that_the_answer_arrives(url: str) -> None:
    upload = head("POST", "/v1/classifiers/none/predict", content_length=10**9)
    answers = said(url, upload, *[bytes(1_000_000)] * 50)
    assert answers.statuses == [413]
    assert answers.seconds >= STALL_SECONDS


def test_pipelined_requests_are_answered_in_their_order(url: str) -> None:
    missing = head("GET", "/missing")
    assert said(url, HEALTHZ + missing + HEALTHZ + LAST).statuses == [200, 404, 200, 200]


def test_too_many_pipelined_requests_are_left_to_be_sent_again(url: str) -> None:
    answers = said(url, HEALTHZ * 1000)
    assert set(answers.statuses) == {200}
    assert 1 <= len(answers.statuses) <= 20
    assert b"connection: close" in answers.told.split(b"HTTP/1.1 ")[-1]


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(
    url: str, edge: Edge, protocol: str
) -> None:
    """As Java's HttpClient sends its first one."""
    name = f"upgraded-{protocol}"
    body = b'{"classes": ["cat"]}'
    asked = {"connection": "Upgrade, HTTP2-Settings", "upgrade": protocol}
    put = head(
        "PUT",
        f"/v1/classifiers/{name}",
        content_type="application/json",
        content_length=len(body),
        **asked,
    )
    chunked = head(
        "PUT",
        f"/v1/classifiers/{name}",
        content_type="application/json",
        transfer_encoding="chunked",
        **asked,
    )
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    get = head("GET", "/healthz", **asked)
    answers = said(url, put + body + chunked + chunks + get + LAST)
    assert answers.statuses == [201, 200, 200, 200]
    assert Classifier(edge.http, name).counts() == {"cat": 0}


@pytest.fixture
def crowd(url: str) -> Iterator[list[Bare]]:
    opened: list[Bare] = []
    yield opened
    for one in opened:
        one.close()


def test_silent_connections_are_closed_for_new_ones(
    edge: Edge, made: Classifier, crowd: list[Bare]
) -> None:
    body = picture(2)
    upload = head(
        "POST", f"{made.url}/classes/bee/images", content_type="image/png", content_length=len(body)
    )
    half = Bare(edge.server.url).send(upload, body[:100])
    crowd.append(half)
    for _ in range(3):
        crowd += [Bare(edge.server.url) for _ in range(MOST)]
        with edge.server.client() as client:  # an idle connection would be one of the silent
            assert client.get("/healthz").status_code == 200
    # Those that waited longest had to go, however short they waited; the upload was no silence.
    half.send(body[100:])
    assert half.answer() == 201
    assert sum(one.closed() for one in crowd) >= 2 * MOST


def test_the_oldest_upload_makes_room_where_all_connections_are_uploads(
    edge: Edge, made: Classifier, crowd: list[Bare]
) -> None:
    upload = head("POST", f"{made.url}/predict", content_type="image/png", content_length=1000)
    crowd += [Bare(edge.server.url).send(upload, b"x") for _ in range(MOST)]
    with edge.server.client() as client:
        assert client.get("/healthz").status_code == 200
    assert crowd[0].answers().seconds < STALL_SECONDS
    assert not crowd[-1].closed()
