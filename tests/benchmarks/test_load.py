"""The load generator against small servers whose behaviour is known."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from benchmarks.load import NotStarted, Plan, Report, Request, load, percentile, running
from benchmarks.load.generator import AnswerNotUnderstood, arrivals, generate
from benchmarks.load.plan import LOST, UNANSWERED

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
A, B = (Request.post("/", body, "image/jpeg") for body in (b"a", b"bb" * 40_000))


def whole(status: int) -> bytes:
    """An answer with a body."""
    return f"HTTP/1.1 {status} Reason\r\ncontent-length: 5\r\nx: y\r\n\r\nhello".encode()


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """A server that reads requests and lets ``answer`` write what comes of each."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(Headers(raw=_raw(head))["content-length"])
                await answer(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def _raw(head: str) -> list[tuple[bytes, bytes]]:
    lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
    return [(name.encode(), value.encode()) for name, _, value in lines]


def report(
    answer: Answer,
    connections: int = 2,
    seconds: float = 0.2,
    *,
    warm_up: float = 0.0,
    rate: float | None = None,
    patience: float = 30.0,
    rate_before: float | None = None,
) -> Report:
    """What a short load gives."""

    async def run() -> Report:
        async with server(answer) as port:
            plan = Plan(
                port,
                (A, B),
                connections,
                seconds,
                warm_up=warm_up,
                rate=rate,
                patience=patience,
                rate_before=rate_before,
            )
            return await generate(plan)

    return asyncio.run(run())


def test_a_closed_loop_keeps_as_many_requests_waiting_as_it_has_connections() -> None:
    waiting: list[asyncio.StreamWriter] = []
    most = 0

    def release() -> None:
        nonlocal most
        most = max(most, len(waiting))
        for held in waiting:
            held.write(whole(200))
        waiting.clear()

    async def when_there_are_five(_: bytes, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 5:
            asyncio.get_running_loop().call_later(0.01, release)

    found = report(when_there_are_five, connections=5, patience=0.1)
    assert most == 5
    # At the end there may be fewer than five, which this server does not answer.
    assert found.outcomes.keys() <= {"200", UNANSWERED}
    assert found.outcomes["200"] == len(found.latencies) >= 5
    assert found.throughput == found.outcomes["200"] / 0.2


def test_requests_are_sent_in_turn_and_whole() -> None:
    bodies: list[bytes] = []

    async def note(body: bytes, writer: asyncio.StreamWriter) -> None:
        bodies.append(body)
        writer.write(whole(200))

    report(note, connections=1)
    assert len(bodies) > 2
    assert all({one, other} == {A.body, B.body} for one, other in pairwise(bodies))


def test_an_answer_that_comes_in_pieces_is_one_answer() -> None:
    async def in_pieces(_: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in whole(200):
            writer.write(bytes([byte]))
            await writer.drain()

    assert report(in_pieces).outcomes.keys() == {"200"}


def test_refusals_are_counted_by_status_and_have_no_latency() -> None:
    async def refuse_large(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(200 if len(body) == 1 else 503))

    found = report(refuse_large, connections=1)
    assert abs(found.outcomes["200"] - found.outcomes["503"]) <= 1
    assert len(found.latencies) == found.outcomes["200"]
    assert found.errors == found.outcomes["503"]


def test_the_warm_up_is_not_counted() -> None:
    async def slowly(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(whole(200))

    # Of one connection, at most the second and third answer come in the window.
    assert sum(report(slowly, connections=1, seconds=0.2, warm_up=0.2).outcomes.values()) <= 2


def test_a_kept_connection_that_closes_is_replaced() -> None:
    async def once(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(200))
        writer.close()

    found = report(once, connections=3)
    assert found.outcomes.keys() == {"200"}
    assert found.outcomes["200"] > 3


def test_a_request_that_is_never_answered_is_counted() -> None:
    async def hang_up(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert report(hang_up).outcomes.keys() == {LOST}

    async def say_nothing(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    assert report(say_nothing, patience=0.1).outcomes == {UNANSWERED: 2}


def test_an_answer_without_its_length_is_an_error() -> None:
    async def chunked(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")

    with pytest.raises(AnswerNotUnderstood, match="transfer-encoding"):
        report(chunked)


def test_arrivals_are_a_poisson_process() -> None:
    plan = Plan(0, (A,), 1, seconds=99.0, warm_up=1.0, rate=50.0, seed=3)
    times = list(arrivals(plan, 7.0))
    assert times == list(arrivals(plan, 7.0))
    assert times == sorted(times)
    assert 7.0 < times[0] < times[-1] < 107.0
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    # Five standard errors; the deviation of an exponential is its mean.
    assert mean == pytest.approx(1 / 50, rel=5 / math.sqrt(len(gaps)))
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation == pytest.approx(mean, rel=0.1)


def test_arrivals_change_their_rate_from_one_moment_to_the_next() -> None:
    plan = Plan(0, (A,), 1, seconds=100.0, warm_up=50.0, rate=20.0, rate_before=200.0)
    times = list(arrivals(plan, 7.0))
    assert times == sorted(times)
    before = sum(time < 57.0 for time in times)
    assert before == pytest.approx(10_000, rel=0.05)
    assert len(times) - before == pytest.approx(2000, rel=0.1)


def test_each_arrival_after_a_change_of_the_rate_is_reported() -> None:
    """What is asked for too much is refused until it is over, of which the load knows nothing."""
    number = 0

    async def refusing(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        number += 1
        writer.write(whole(503 if number <= 120 else 200))

    found = report(refusing, 30, 0.6, warm_up=0.2, rate=100.0, rate_before=500.0)
    assert [due for due, _ in found.arrivals] == sorted(due for due, _ in found.arrivals)
    assert all(0 <= due < 0.6 for due, _ in found.arrivals)
    assert len(found.arrivals) == sum(found.outcomes.values())
    refused = sum(latency == math.inf for _, latency in found.arrivals)
    assert refused == found.outcomes["503"] > 0
    assert refused < len(found.arrivals)
    assert report(refusing, rate=100.0).arrivals == []


def test_an_open_loop_does_not_wait_for_answers() -> None:
    plan = Plan(0, (A,), 1, seconds=0.3, warm_up=0.0, rate=100.0)
    due = len(list(arrivals(plan, 0.0)))
    waiting: list[asyncio.StreamWriter] = []

    async def when_all_are_here(_: bytes, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == due:
            for held in waiting:
                held.write(whole(200))

    found = report(when_all_are_here, connections=due, seconds=0.3, rate=100.0)
    assert found.outcomes == {"200": due}


def test_latency_of_an_open_loop_counts_from_when_a_request_was_due() -> None:
    async def slowly(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.03)
        writer.write(whole(200))

    found = report(slowly, connections=1, seconds=0.3, rate=100.0)
    count = found.outcomes["200"]
    # One after another on one connection: the last is answered when all the others were.
    assert found.latencies[-1] >= count * 0.03 - 0.3
    assert count * 0.03 - 0.3 > 0.06


def test_percentile_returns_the_nearest_rank() -> None:
    values = [float(i) for i in range(1, 101)]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == 7
    assert percentile([], 0.5) == math.inf


def test_a_form_is_what_servers_take_for_one() -> None:
    request = Request.form("/path", [b"\r\n--image"], "image/png", "file")
    head = request.head.decode()
    assert head.startswith("POST /path HTTP/1.1\r\n")

    async def body() -> AsyncGenerator[bytes, None]:
        yield request.body

    form = asyncio.run(MultiPartParser(Headers(raw=_raw(head)), body()).parse())
    file = form["file"]
    assert isinstance(file, UploadFile)
    assert file.content_type == "image/png"
    assert asyncio.run(file.read()) == b"\r\n--image"


def test_load_on_a_server_as_a_process() -> None:
    with running([sys.executable, "-m", "http.server", "{port}"], "/LICENSE") as service:
        assert 0 < service.listening <= service.ready
        memory = service.memory()
        assert 0 < memory["pss"] <= memory["rss"] <= memory["peak rss"]
        found = load(Plan(service.port, (A,), 1, 0.2, warm_up=0.0))
    assert found.outcomes.keys() == {"501"}  # it knows no POST
    assert found.processor > 0
    assert service.process.poll() is not None


def test_a_server_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(NotStarted, match="no such thing"),
        running([sys.executable, "-c", "raise SystemExit('no such thing')"], "/"),
    ):
        pass
