"""The judges of the campaign of requests: what they take, and what they must not take."""

from __future__ import annotations

import itertools
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvloop

from tests.campaigns.requests import attack, health
from tests.campaigns.requests.answers import Answer, Answers, NotHttp, requests_in
from tests.campaigns.requests.attack import Attack, Tally
from tests.campaigns.requests.framing import ill_framed
from tests.campaigns.requests.health import Health
from tests.campaigns.requests.judging import fault_of
from tests.campaigns.requests.memory import MIB, SLACK, growth, slope
from tests.campaigns.requests.operations import Seen
from tests.campaigns.requests.request import Request

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
REFUSED = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)
FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n"
)
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


@contextmanager
def answering(*answers: bytes, pause: float = 0) -> Iterator[str]:
    """A server that says these things for each thing that it hears, one after the other, and ends
    the connection behind the last one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    for one in answers:
                        if not connection.recv(2**16):
                            break
                        over.wait(pause)
                        connection.sendall(one)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def attacked(url: str, monkeypatch: pytest.MonkeyPatch, kind: str = "whole") -> Tally:
    """What is said of a server after one request."""
    monkeypatch.setattr(attack, "_SHARES", [float(one == kind) for one in attack._KINDS])
    monkeypatch.setattr(attack, "PATIENCE", 0.5)
    tally = Tally()
    one = Attack(url, lambda _: Request(b"GET", b"/"), Seen(), tally)
    uvloop.run(one.run(1, 1, "0"))
    return tally


@pytest.mark.parametrize("answer", [OK, REFUSED, LAST, b"HTTP/1.1 100 Continue\r\n\r\n" + OK])
def test_answers_as_they_should_be_are_taken(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    with answering(answer) as url:
        tally = attacked(url, monkeypatch)
    assert tally.faults == []
    assert tally.answers.total() == tally.sent["whole"] == 1


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([FAILED], "answered with 500"),
        ([FAILED.replace(b"500", b"501")], "answered with 501"),
        ([REFUSED.replace(b"application/json", b"text/html")], "no document"),
        ([REFUSED[:-2] + b"{)"], "no JSON"),
        ([OK + OK], "nobody has asked for"),
        ([OK.replace(b"HTTP/1.1", b"HTTP/1.1 ")], "no HTTP"),
        ([OK.replace(b"length: 2", b"length: 2\r\ncontent-length: 3")], "no HTTP"),
        ([OK[:-1]], "no HTTP"),
        ([b""], "ended after 0 of 1"),
        ([b"", b""], "0 of 1 answered"),
    ],
)
def test_answers_that_must_not_be_are_found(
    monkeypatch: pytest.MonkeyPatch, answers: list[bytes], told: str
) -> None:
    with answering(*answers) as url:
        tally = attacked(url, monkeypatch)
    [fault] = tally.faults
    assert told in fault.what
    assert fault.sent == b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def test_who_is_not_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(OK) as url:
        pass
    [fault] = attacked(url, monkeypatch).faults
    assert "takes no connection" in fault.what


@pytest.mark.parametrize(
    ("requests", "answers", "told"),
    [
        (1, [b""], "ended after 0 of 1"),
        (1, [b"", b""], "0 of 1 answered"),
        (1, [OK[:-1], b""], "0 and a part of 1 answered"),
        (1, [OK * 3], "asked"),
        (2, [OK], "ended after 1 of 2"),
        (2, [OK, b""], "1 of 2 answered"),
    ],
)
def test_what_a_strict_reader_takes_for_a_request_has_to_be_answered(
    monkeypatch: pytest.MonkeyPatch, requests: int, answers: list[bytes], told: str
) -> None:
    monkeypatch.setattr(attack, "ill_framed", lambda request, _: request.rendered() * requests)
    with answering(*answers) as url:
        [fault] = attacked(url, monkeypatch, "ill framed").faults
    assert told in fault.what


@pytest.mark.parametrize("answers", [[OK + OK], [LAST], [EVENTS, b""]])
def test_nothing_is_awaited_behind_a_last_answer_or_events(
    monkeypatch: pytest.MonkeyPatch, answers: list[bytes]
) -> None:
    monkeypatch.setattr(attack, "ill_framed", lambda request, _: request.rendered() * 2)
    with answering(*answers) as url:
        tally = attacked(url, monkeypatch, "ill framed")
    assert (tally.faults, tally.sent["ill framed"]) == ([], 1)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET, (1, 2)),
        (GET * 3, (3, 4)),
        (GET[:-1], (0, 1)),
        (b"nonsense\r\n\r\n" + GET, (0, 2)),
        (GET.replace(b"host", b"content-length: 5\r\nhost") + GET, (1, 3)),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", (1, 2)),
    ],
)
def test_requests_are_counted(sent: bytes, expected: tuple[int, int]) -> None:
    assert requests_in(sent) == expected


def test_an_answer_to_head_has_no_body() -> None:
    answers = Answers()
    answers.expect([True, False])
    first, second = answers.read(OK[:-2] + OK)
    assert (first.body, second.body, answers.missing) == (b"", b"{}", 0)
    with pytest.raises(NotHttp):
        answers.read(OK)


def test_refusals_are_documents_but_to_head_and_who_is_unknown() -> None:
    plain = Answer(404, "text/plain", b"no")
    assert fault_of(plain) is None
    assert fault_of(plain, Request(b"HEAD", b"/")) is None
    assert fault_of(plain, Request(b"GET", b"/")) is not None
    for status in (503, 504, 507):
        assert (
            fault_of(Answer(status, "application/problem+json", b"{}"), Request(b"GET", b"/"))
            is None
        )


def leaking(each: int) -> list[int]:
    """Moments of a service that fills caches at first, is noisy, and loses so much a round."""
    draw = random.Random(0)
    return [
        (500 + min(one, 5) * 20) * MIB + draw.randrange(10 * MIB) + one * each for one in range(40)
    ]


def test_growth_is_told_from_caches_that_fill_and_from_noise() -> None:
    assert (growth(leaking(0)) or 0) < SLACK
    assert (growth(leaking(4 * MIB)) or 0) > SLACK
    assert slope(range(0, 4000, 100), leaking(4 * MIB)) == pytest.approx(4 * MIB / 100, rel=0.1)
    assert growth([1, 2, 3]) is None


def test_a_late_health_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.1)
    monkeypatch.setattr(health, "_PAUSE", 0.01)
    for pause, late in ((0.0, False), (0.3, True)):
        wait = threading.Event()
        with answering(OK, pause=pause) as url, Health(url, os.getpid()) as asked:
            wait.wait(0.8)
        assert any("took" in one for one in asked.faults) == late, asked.faults
    with answering(FAILED) as url, Health(url, os.getpid()) as asked:
        wait.wait(0.2)
    assert "not answered" in asked.faults[0]


@pytest.mark.parametrize("waits", [False, True])
def test_a_late_health_is_excused_by_waits_of_the_event_loop_alone(
    monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    with answering(OK, pause=0.4) as url:
        asked = Health(url, os.getpid())
        assert asked._waited() > 0
        # Seconds of waiting that the kernel has counted, each time that it is asked.
        counted = itertools.count(0, 10 if waits else 0)
        monkeypatch.setattr(asked, "_waited", lambda: next(counted))
        with asked:
            time.sleep(0.6)
    assert asked.slowest >= 0.4
    assert (asked.slowest_own < 0.2) == waits
    assert (asked.faults == []) == waits, asked.faults


def test_the_same_seed_gives_the_same_bytes() -> None:
    def drawn() -> list[bytes]:
        draw = random.Random(3)
        return [ill_framed(Request(b"POST", b"/a", body=b"abc"), draw) for _ in range(200)]

    assert drawn() == drawn()
    assert len(set(drawn())) > 150
