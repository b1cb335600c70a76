"""What the overload benchmark takes for an answer, and when it takes an overload to be over."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import Counter
from contextlib import nullcontext
from typing import Any

import httpx2 as httpx
import pytest

from benchmarks.load import Report
from benchmarks.overload import __main__ as overload
from benchmarks.overload.__main__ import of_report, recovered
from benchmarks.overload.beside import asking
from benchmarks.overload.soak import changing, summed_up

OK = httpx.Response(200)
REFUSED = httpx.Response(503, headers={"retry-after": "3"})


def test_an_overload_is_over_behind_the_last_who_was_refused_or_late() -> None:
    calm = [(0.1 * one, 0.2) for one in range(300)]
    assert recovered(calm, 1.0) == 0
    assert recovered([*calm[:50], (5.0, math.inf), *calm[50:]], 1.0) == 5.0
    assert recovered([*calm[:50], (5.0, 1.1), *calm[50:]], 1.0) == 5.0


class Standing:
    """In the place of a service, of which somebody is refused for so many seconds."""

    def __init__(self, refused: float) -> None:
        self._refused = refused

    def asked(self, *_: object, **__: object) -> Report:
        return Report(1.0, [0.1], {"200": 1}, 0.0, 0.0)

    def relieved(self, *_: object) -> Report:
        arrivals = ((0.5, 0.1), (self._refused, math.inf), (34.0, 0.1))
        return Report(35.0, [0.1, 0.1], {"200": 2, "503": 1}, 0.0, 0.0, arrivals)


@pytest.mark.parametrize(("refused", "status"), [(4.0, 0), (32.0, 1)])
def test_an_overload_that_is_not_over_in_time_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, refused: float, status: int
) -> None:
    monkeypatch.setattr(overload, "running", lambda _: nullcontext(Standing(refused)))
    monkeypatch.setattr(overload, "measured", lambda *_: [])
    monkeypatch.setattr(overload, "publish", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["overload", "--rounds", "1"])
    assert overload.main() == status


def test_queries_that_fail_are_no_refusals() -> None:
    asked = of_report(3.0, "queries", Report(1.0, [0.1], {"200": 1, "503": 3}, 0.0, 0.0))
    assert (asked["asked"], asked["let in"]) == (4, 0.25)
    with pytest.raises(SystemExit, match="500"):
        of_report(3.0, "queries", Report(1.0, [0.1], {"200": 1, "500": 3}, 0.0, 0.0))


def test_a_service_that_hangs_is_asked_all_the_same() -> None:
    """Whoever waits counts from when his turn was."""
    begun = time.perf_counter()

    def ask() -> httpx.Response:
        time.sleep(max(0.0, 0.5 - (time.perf_counter() - begun)))
        return OK

    with asking(ask, 0.02) as answers:
        time.sleep(0.6)
    assert answers.asked > 15
    assert sum(one > 0.2 for one in answers.seconds) > 8
    assert answers.latency(1) < 0.7


def test_what_is_no_answer_counts_and_nothing_ends_before_its_time() -> None:
    turns = iter(range(10**6))

    def ask() -> httpx.Response:
        match next(turns) % 4:
            case 0:
                raise httpx.ConnectError("gone")
            case 1:
                return REFUSED
            case 2:
                return httpx.Response(500)
        return OK

    with asking(ask, 0.01) as answers:
        time.sleep(0.3)
    assert len(answers.seconds) > 2
    assert len(answers.told) > 2
    assert {one.partition("(")[0] for one in answers.others} == {"ConnectError", "500"}
    assert answers.asked == len(answers.seconds) + len(answers.told) + len(answers.others)


def test_whoever_ends_early_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: Any = "not a number"
    with pytest.raises(TypeError), asking(lambda: OK, broken):
        pass

    def json(_: object) -> None:
        raise KeyError("no images")

    monkeypatch.setattr(httpx.Response, "json", json)
    transport = httpx.MockTransport(lambda _: httpx.Response(201))
    with (
        httpx.Client(transport=transport, base_url="http://service") as client,
        pytest.raises(KeyError),
        changing(client, Counter()),
    ):
        time.sleep(0.7)


def test_a_soak_tells_of_every_failure() -> None:
    over = threading.Event()
    asked = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            over.set()
        raise httpx.ReadTimeout("too slow")

    statuses = Counter[str]()
    with (
        httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service") as client,
        changing(client, statuses),
    ):
        over.wait(5)
    assert statuses["ReadTimeout"] >= 2
    windows = [
        {"at": 700.0 + one, "share": 0.8, "p99 ms": 5.0, "changes": {"201": 3, **statuses}}
        | {"outcomes": {"200": 9, "503": 2, "500": one}}
        | dict.fromkeys(("files", "threads", "sockets", "rss MiB", "database MiB"), 1.0)
        for one in range(2)
    ]
    failures = summed_up(windows)["failures"]
    assert failures == {"queries 500": 1, "changes ReadTimeout": 2 * statuses["ReadTimeout"]}
