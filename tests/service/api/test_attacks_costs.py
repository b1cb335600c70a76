"""Requests that would cost far more than their size: the service beside them stays as it is.

Each attack is within the documented limits or refused by them. While it lasts the service is as
``Attacked`` says, and memory grows by no more than the table in docs/limits.md says.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx2 as httpx
import pytest

from tests.odd_pictures import flat_png
from tests.service.attacked import MIB, Attacked
from tests.service.client import Classifier, problem
from tests.service.pictures import picture
from tests.service.server import Server

GRACE = 5
# The budget of bytes in flight of the service that is attacked.
BUDGET = 64
LIMITS = {
    "max_bytes_in_flight": BUDGET * MIB,
    "max_request_bytes": 32 * MIB,
    "shutdown_seconds": GRACE,
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Attacked]:
    with (
        Server.ready(tmp_path_factory.mktemp("attacked"), backbone=vit, **LIMITS) as running,
        running.client() as http,
    ):
        yield Attacked(running, http)
        running.stop()
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def big(attacked: Attacked) -> Classifier:
    """A classifier of as many classes as there may be, without images."""
    made = Classifier(attacked.http, "big")
    classes = [f"class {i}" for i in range(10_000)]
    assert made.put(classes=classes, coverage=0.9).status_code == 201
    return made


def at_once(number: int, one: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def head(method: str, path: str, **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *lines, "", ""]).encode()


# Texts


def waiting_texts(http: httpx.Client) -> float:
    found = re.search(
        r'^handful_waiting_texts{lane="registrations"} (\S+)$',
        http.get("/metrics").text,
        re.MULTILINE,
    )
    return float(found[1]) if found else 0.0


TEMPLATES = [f"{i} of a {{}}" for i in range(100)]
# As long as labels may be, and all different: the slowest that there is for a tokenizer.
LONG = [f"{i:04}{'abcdefghijklmnopqrstuvwxyz' * 10}"[:255] for i in range(200)]


def test_a_million_texts_are_refused_at_once(attacked: Attacked) -> None:
    body = {"classes": [str(i) for i in range(10_000)], "templates": TEMPLATES}
    content = json.dumps(body).encode()
    assert len(content) < 200_000

    def attack() -> None:
        for answer in at_once(8, lambda i: attacked.http.put(f"/v1/classifiers/m{i}", json=body)):
            problem(answer, 413, "request-too-large", "1000000 texts", "HANDFUL_MAX_TEXTS")

    attacked.stands(attack, mib=0)


def begun(attacked: Attacked, stack: ExitStack, number: int) -> list[socket.socket]:
    """Clients that ask for as many texts as are admitted, and wait for the answer."""
    content = json.dumps({"classes": LONG, "templates": TEMPLATES}).encode()
    connections = []
    for i in range(number):
        connection = stack.enter_context(attacked.connected())
        path = f"/v1/classifiers/t{i}"
        sent = {"content_type": "application/json", "content_length": len(content)}
        connection.sendall(head("PUT", path, **sent) + content)
        connections.append(connection)
    until(lambda: waiting_texts(attacked.http) > 256)
    return connections


def test_the_most_texts_hold_nobody_up_and_end_with_their_clients(attacked: Attacked) -> None:
    changes: list[float] = []

    def attack() -> None:
        with ExitStack() as stack:
            begun(attacked, stack, 8)
            for i in range(5):
                began = time.monotonic()
                answer = Classifier(attacked.http, "normal").post("ant", picture(100 + i))
                assert answer.status_code == 201
                changes.append(time.monotonic() - began)
            time.sleep(1)
        until(lambda: waiting_texts(attacked.http) == 0, 10)
        for i in range(8):
            problem(attacked.http.get(f"/v1/classifiers/t{i}"), 404, "classifier-not-found")

    attacked.stands(attack, mib=60)
    assert statistics.median(changes) < 5


# RequestBodies


@pytest.mark.usefixtures("big")
def test_bodies_over_the_limit_are_refused_before_they_are_read(attacked: Attacked) -> None:
    def attack() -> None:
        with ExitStack() as stack:
            connections = [stack.enter_context(attacked.connected()) for _ in range(8)]
            for number, connection in enumerate(connections):
                large = (
                    {"content_length": 250 * MIB}
                    if number % 2
                    else {"transfer_encoding": "chunked"}
                )
                kind = "image/png" if number < 4 else "application/json"
                path = "/v1/classifiers/big" if number >= 4 else "/v1/classifiers/normal/predict"
                method = "PUT" if number >= 4 else "POST"
                connection.sendall(head(method, path, content_type=kind, **large))
            chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
            for connection in connections:
                with suppress(OSError):
                    for _ in range(40):
                        connection.sendall(chunk)
            for connection in connections:
                with suppress(ConnectionResetError):
                    assert connection.recv(12) == b"HTTP/1.1 413"

    attacked.stands(attack, mib=2 * 2 * 20 + 4)


def test_bytes_in_flight_are_bounded_for_all_requests_together(attacked: Attacked) -> None:
    path = "/v1/classifiers/normal/support"
    answers: list[bytes] = []

    def attack() -> None:
        with ExitStack() as stack:
            connections = [stack.enter_context(attacked.connected()) for _ in range(8)]
            for connection in connections:
                sent = {"content_type": "application/zip", "content_length": 30 * MIB}
                connection.sendall(head("POST", path, **sent))
            for _ in range(29):  # all of them together, as far as they are let
                for connection in connections:
                    with suppress(OSError):
                        connection.sendall(bytes(MIB))
            time.sleep(0.3)
            for connection in connections:
                connection.setblocking(False)
                with suppress(OSError):
                    answers.append(connection.recv(65536))

    attacked.stands(attack, mib=2 * BUDGET)
    assert answers
    assert all(b" 503 " in answer and b"retry-after: " in answer for answer in answers)
    assert len(answers) >= 8 - 3  # 48 MiB are for large ones


def test_what_is_declared_and_never_sent_takes_nothing_from_others(attacked: Attacked) -> None:
    def attack() -> None:
        with ExitStack() as stack:
            for _ in range(50):
                connection = stack.enter_context(attacked.connected())
                sent = {"content_type": "application/zip", "content_length": 30 * MIB}
                connection.sendall(head("POST", "/v1/classifiers/normal/support", **sent))
            answer = Classifier(attacked.http, "normal").post("bee", picture(200), bytes(0))
            problem(answer, 422, "not-an-image")
            time.sleep(0.5)

    attacked.stands(attack, mib=0)


def test_compressed_bombs_cost_no_more_than_their_limit(attacked: Attacked) -> None:
    bomb = gzip.compress(bytes(300 * MIB), 9)
    assert len(bomb) < MIB
    kinds = ["image/png", "application/zip", "multipart/form-data; boundary=X"]

    def one(number: int) -> httpx.Response:
        where = "predict" if number % 3 == 0 else "support"
        return attacked.http.post(
            f"/v1/classifiers/normal/{where}",
            content=bomb,
            headers={"content-type": kinds[number % 3], "content-encoding": "gzip"},
        )

    def attack() -> None:
        statuses = [answer.status_code for answer in at_once(9, one)]
        assert set(statuses) <= {413, 422, 503}  # as far as there is room for them at a time
        problem(one(0), 413, "image-too-large")

    attacked.stands(attack, mib=2 * BUDGET)


# Pictures


def test_thin_and_unusual_pictures_cost_what_their_pixels_do(attacked: Attacked) -> None:
    other = Classifier(attacked.http, "other")
    assert other.put().status_code == 201
    assert other.post("ant", picture(1)).status_code == 201
    odd = [
        *(flat_png(1, 900_000), flat_png(900_000, 1), flat_png(1, 20_000), flat_png(20_000, 1)),
        *(flat_png(2, 400_000, colour=6), flat_png(400_000, 2, colour=0, depth=16)),
    ]
    assert sum(map(len, odd)) < 20_000

    def attack() -> None:
        for answer in at_once(4, lambda _: other.predict(*odd * 4)):
            assert answer.status_code == 200, answer.text

    attacked.stands(attack, mib=60)


# JSON


def json_attacks() -> dict[str, bytes]:
    """Documents just under the limits of bytes, or just under that of values."""
    size = MIB - 100
    labels = json.dumps({"classes": ["\u0345" * 30_000 + "\u0334" * 30_000]}).encode()
    keys = {f"k{i}": 1 for i in range(49_000)}
    return {
        "tiny labels": b'{"classes": [' + b'"a",' * (size // 4) + b'"a"]}',
        "brackets": b"[" * size,
        "lists": b"[" + b"[]," * 33_000 + b"1]",
        "keys": json.dumps(keys).encode(),
        "long numbers": b"[" + (b"9" * 4200 + b",") * (size // 4201) + b"1]",
        "one number": b"9" * size,
        "numbers for labels": json.dumps({"classes": [1] * 10_000}).encode(),
        "a string": b'{"method": "' + b"x" * size + b'"}',
        "combining characters": labels,
        "many of them": json.dumps({"classes": ["\u0345" * 500 + "\u0334" * 500] * 170}).encode(),
    }


@pytest.mark.parametrize("case", json_attacks())
def test_no_json_holds_the_loop_up(attacked: Attacked, case: str) -> None:
    content = json_attacks()[case]
    assert len(content) <= MIB

    def one(_: int) -> httpx.Response:
        return attacked.http.put(
            "/v1/classifiers/j", content=content, headers={"content-type": "application/json"}
        )

    def attack() -> None:
        for answer in at_once(2, one):
            assert answer.status_code in {400, 413, 422}, answer.text
            assert len(answer.content) < 10_000

    attacked.stands(attack, mib=30)


def image_json_attacks() -> dict[str, bytes]:
    """Documents of images just under the limits, which are those of forms."""
    size = 30 * MIB
    return {
        "one image": b'{"images": [{"data": "' + b"A" * size + b'"}]}',
        "escapes": b'{"images": [{"data": "' + b"\\u0041" * (size // 6) + b'"}]}',
        "backslashes": b'{"images": [{"data": "' + b"\\\\" * (size // 2) + b'"}]}',
        "quotes": b'{"images": [{"data": "' + b'\\"' * (size // 2) + b'"}]}',
        "no end": b'{"images": [{"data": "' + b"\\" * size,
        "values": b'{"images": [' + b"1," * (size // 2) + b"1]}",
        "digits": b'{"images": [' + b"1" * size + b"]}",
        "spaces": b" " * size,
        "many images": b'{"images": ['
        + b",".join([b'{"data": "' + b"A" * 14_000 + b'"}'] * 2000)
        + b"]}",
        "numbers": b'{"images": [{"embedding": {"frozen": ['
        + b",".join([b"0.12345678901234567"] * 90_000)
        + b'], "corrected": [1]}, "fingerprint": "'
        + b"0" * 64
        + b'"}]}',
    }


@pytest.mark.parametrize("case", image_json_attacks())
def test_no_json_of_images_holds_the_loop_up(attacked: Attacked, case: str) -> None:
    content = image_json_attacks()[case]
    assert len(content) <= 32 * MIB

    def one(_: int) -> httpx.Response:
        return attacked.normal.post_body(content, "application/json", "predict")

    def attack() -> None:
        for answer in at_once(2, one):
            assert answer.status_code in {409, 413, 422, 503}, answer.text
            assert len(answer.content) < 10_000

    attacked.stands(attack, mib=4 * 32 + 30)


# Answers


def test_the_largest_answers_hold_nobody_up(attacked: Attacked, big: Classifier) -> None:
    images = [picture(1)] * 100

    def attack() -> None:
        # The prediction sets of a classifier without images hold all of its classes.
        refused = big.predict(*images, top_k=1)
        problem(refused, 422, "answer-too-large", "100000 labels", "fewer images")
        refused = big.predict(*images, picture(1), top_k=1000)
        problem(refused, 422, "answer-too-large", "top_k=990")
        for answer in at_once(3, lambda _: big.predict(*images[:10], top_k=1000)):
            assert answer.status_code == 200
            assert len(answer.json()["predictions"][0]["prediction_set"]) == 10_000

    attacked.stands(attack, mib=200)


def test_lists_of_ten_thousand_hold_nobody_up(attacked: Attacked, big: Classifier) -> None:
    def attack() -> None:
        for answer in at_once(8, lambda _: attacked.http.get(f"{big.url}/classes")):
            assert len(answer.json()["classes"]) == 10_000

    attacked.stands(attack, mib=60)


# The end


def test_a_shutdown_ends_whatever_is_under_way(attacked: Attacked) -> None:
    """The last one: the service is gone then."""
    with ExitStack() as stack:
        begun(attacked, stack, 8)
        for _ in range(4):
            connection = stack.enter_context(attacked.connected())
            sent = {"content_type": "application/zip", "content_length": 30 * MIB}
            connection.sendall(head("POST", "/v1/classifiers/normal/support", **sent))
            connection.sendall(bytes(MIB))
        began = time.monotonic()
        assert attacked.server.stop() == 0
        assert time.monotonic() - began < GRACE + 10
