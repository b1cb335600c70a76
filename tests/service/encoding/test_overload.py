"""A real service with little room: who is refused, who is dropped, who still gets through."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest
from PIL import Image

from tests.service.client import Classifier, files, problem
from tests.service.pictures import encoded, picture
from tests.service.server import Server

# Few bytes, and long to decode.
SLOW = encoded(Image.new("L", (4000, 4000)))
MANY = 10


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[httpx.Client]:
    limits = {"max_waiting": 4, "decode_threads": 1}
    with (
        Server.ready(tmp_path_factory.mktemp("overload"), backbone=vit, **limits) as running,
        running.client() as client,
    ):
        yield client
        running.stop()
    log = running.log.read_text()
    assert "Application shutdown complete" in log
    assert "Traceback" not in log


@pytest.fixture
def made(http: httpx.Client) -> Iterator[Callable[[str], Classifier]]:
    names: list[str] = []

    def make(name: str) -> Classifier:
        classifier = Classifier(http, name)
        assert classifier.put().status_code == 201
        assert classifier.post("ant", picture(1)).status_code == 201
        names.append(name)
        return classifier

    yield make
    for name in names:
        http.delete(f"/v1/classifiers/{name}")


def metric(http: httpx.Client, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def waiting(http: httpx.Client, lane: str) -> float:
    return metric(http, f'handful_waiting_images{{lane="{lane}"}}')


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hang_up_after_sending(http: httpx.Client, path: str, lane: str, images: int) -> None:
    request = http.build_request("POST", path, files=files(*[SLOW] * images))
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    url = request.url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(f"POST {url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        until(lambda: waiting(http, lane) > 0)


@pytest.mark.parametrize(
    ("path", "lane"), [("predict", "queries"), ("classes/bee/images", "registrations")]
)
def test_a_client_that_hangs_up_costs_nothing_more(
    http: httpx.Client, made: Callable[[str], Classifier], path: str, lane: str
) -> None:
    classifier = made("gone")
    before = metric(http, "handful_encoder_batch_size_sum")
    hang_up_after_sending(http, f"{classifier.url}/{path}", lane, MANY)
    until(lambda: waiting(http, lane) == 0)
    assert metric(http, "handful_encoder_batch_size_sum") - before < MANY
    assert classifier.counts() == {"ant": 1}
    assert len(classifier.predictions(picture(1))) == 1


def test_predict_returns_503_when_queue_is_full_and_200_later(
    http: httpx.Client, made: Callable[[str], Classifier]
) -> None:
    classifier, idle = made("busy"), made("idle")
    # Each counts for one of the four that may wait.
    with ThreadPoolExecutor(4) as threads:
        long = [threads.submit(classifier.predict, *[SLOW] * MANY) for _ in range(4)]
        until(lambda: waiting(http, "queries") > 3 * MANY)
        refused = classifier.predict(picture(1))
        # Queries are refused, so registrations are; a classifier that asks for nothing has room.
        shed = classifier.post("ant", picture(2))
        assert idle.predict(picture(1)).status_code == 200
        for answer in (refused, shed):
            problem(answer, 503, "overloaded", "HANDFUL_MAX_WAITING")
            assert re.fullmatch("[1-9][0-9]*", answer.headers["retry-after"])
        assert [one.result().status_code for one in long] == [200] * 4
    assert classifier.predict(picture(1)).status_code == 200
    assert classifier.post("ant", picture(2)).status_code == 201
    assert metric(http, 'handful_refused_requests_total{lane="queries"}') == 1
    assert metric(http, 'handful_refused_requests_total{lane="registrations"}') == 1


def test_predict_returns_504_when_request_timeout_passes(
    http: httpx.Client, made: Callable[[str], Classifier]
) -> None:
    classifier = made("late")
    answer = http.post(
        f"{classifier.url}/predict", files=files(SLOW), headers={"request-timeout": "0.001"}
    )
    problem(answer, 504, "deadline-exceeded", "0.001 s")
    assert waiting(http, "queries") == 0
    answer = http.post(
        f"{classifier.url}/predict", files=files(SLOW), headers={"request-timeout": "soon"}
    )
    problem(answer, 422, "request-validation-failed", "request-timeout")
