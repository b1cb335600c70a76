"""The protocol by itself: bytes in any pieces, and any bytes at all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from service.serving.connections import ConnectionLimits, Connections
from service.serving.http_connection import MAX_FIELDS, MAX_PIPELINED, HttpConnection
from service.serving.minimum_rate import MinimumRate

LIMITS = ConnectionLimits(
    connections=2, head_bytes=2048, head_seconds=60, idle_seconds=60, stall_seconds=60, rate=500
)


@dataclass
class Transport:
    """Takes what a protocol writes."""

    written: bytes = b""
    closing: bool = False
    ended: bool = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        assert not self.ended
        self.written += data

    def close(self) -> None:
        self.closing = True

    abort = close

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None:
        """It has nothing to pause."""

    resume_reading = pause_reading


@dataclass
class Application:
    """Reads each request to its end and answers with its body.

    Attributes:
        asked: Method, path and number of header fields of each request.
        failed: What must not be.
    """

    asked: list[tuple[str, str, int]] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._answer(scope, receive, send)
        except Exception as error:
            self.failed.append(error)
            raise

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.asked.append((scope["method"], scope["path"], len(scope["headers"])))
        fields = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body})


async def turns(count: int) -> None:
    """Let the tasks do what they can."""
    for _ in range(count):
        await asyncio.sleep(0)


def spoken(pieces: list[bytes]) -> tuple[Application, bytes, Connections]:
    """What comes of bytes that arrive in these pieces, none of which fails."""

    async def speak() -> tuple[Application, bytes, Connections]:
        application, transport, table = Application(), Transport(), Connections(LIMITS)
        config = uvicorn.Config(application, lifespan="off", ws="none", log_config=None)
        config.load()
        state = ServerState()
        connection = partial(HttpConnection, table)(config, state, {})
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.closing:
                connection.data_received(piece)
                await turns(3)
        await turns(20 + 10 * len(state.tasks) + 10 * len(connection.pipeline))
        connection.connection_lost(None)
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=5)
        assert not application.failed
        return application, transport.written, table

    return asyncio.run(speak())


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request, and its body."""
    body = draw(st.binary(max_size=60))
    upgrade = draw(st.sampled_from([b"", b"connection: upgrade\r\nupgrade: h2c\r\n"]))
    head = (
        b"POST /" + draw(st.sampled_from([b"a", b"b?c=d", b"%C3%A4"])) + b" HTTP/1.1\r\nhost: x\r\n"
    )
    if draw(st.booleans()):
        return head + upgrade + b"content-length: %d\r\n\r\n" % len(body) + body, body
    chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
    extension = draw(st.sampled_from([b"", b";a=b"]))
    trailer = draw(st.sampled_from([b"", b"x-trailer: 1\r\n"]))
    framed = b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in chunks)
    sent = b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\n" + trailer + b"\r\n"
    return head + upgrade + sent, b"".join(chunks)


def pieces_of(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    return [stream[a:b] for a, b in pairwise(places) if a < b]


CUTS = st.lists(st.integers(0, 5000), max_size=12)


@settings(deadline=None)
@given(st.lists(requests(), min_size=1, max_size=MAX_PIPELINED), CUTS)
def test_requests_are_the_same_in_whatever_pieces_they_come(
    sent: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(request for request, _ in sent)
    application, written, _ = spoken(pieces_of(stream, cuts))
    assert len(application.asked) == len(sent)
    # Trailers are no header fields.
    assert {count for _, _, count in application.asked} <= {2, 4}
    bodies = re.split(rb"HTTP/1\.1 200 OK\r\n.*?\r\n\r\n", written, flags=re.S)[1:]
    assert bodies == [body for _, body in sent]


def test_nobody_is_told_to_go_on_who_was_refused() -> None:
    """The application asks for the body behind the refusal, which is the last that is said."""
    head = (
        b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    _, written, _ = spoken([head + b"no size\r\n"])
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", written) == [b"400"]


def test_nothing_is_begun_of_a_request_with_another_coding() -> None:
    for coding in (b"gzip, chunked", b"identity", b"gzip\r\ntransfer-encoding: chunked"):
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: " + coding + b"\r\n\r\n"
        application, written, _ = spoken([head, b"1\r\na\r\n0\r\n\r\n"])
        assert not application.asked
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", written) == [b"400"]
        assert b"Content-Encoding" in written


HOSTILE = st.one_of(
    st.binary(max_size=200),
    requests().map(lambda request: request[0]),
    st.builds(
        lambda piece, count: piece * count,
        st.sampled_from(
            [
                b"a: b\r\n",
                b"a",
                b"\r\n",
                b"0\r\n",
                b"1\r\nx\r\n",
                b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
                b"5;a=",
            ]
        ),
        st.integers(1, 1500),
    ),
)


@settings(deadline=None)
@given(st.lists(HOSTILE, max_size=6), CUTS)
def test_any_bytes_end_in_answers_and_a_connection_that_is_forgotten(
    sent: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(sent)
    application, written, table = spoken(pieces_of(stream, cuts))
    assert len(table) == 0
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", written)
    assert {int(status) for status in statuses} <= {200, 400, 431, 503}
    assert all(count <= MAX_FIELDS for _, _, count in application.asked)


@given(
    st.floats(0.5, 60),
    st.floats(1, 1e6),
    st.lists(st.tuples(st.floats(0.01, 2), st.integers(0, 10**6)), min_size=1, max_size=50),
)
def test_minimum_rate_bounds_the_longest_pause_and_the_average(
    grace: float, rate: float, moves: list[tuple[float, int]]
) -> None:
    kept = MinimumRate(grace, rate)
    still = 0.0
    for seconds, moved in moves:
        enough = kept.keeps(seconds, moved)
        still = still + seconds if moved == 0 else 0.0
        if still >= grace + 1e-6:  # the longest pause, however much came before it
            assert not enough
            return
        if not enough:
            return
    whole = sum(seconds for seconds, _ in moves)
    assert sum(moved for _, moved in moves) >= (whole - grace) * rate - 1e-3 * rate
