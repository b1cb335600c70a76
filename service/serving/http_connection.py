"""HTTP/1.1 connection, with limits that hold before a request reaches the application."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, cast

import httptools
from fastapi_problem.error import StatusProblem
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.access.principal import PEER_KEY
from service.api.ending import ENDING
from service.serving import refusals
from service.serving.connections import Connections
from service.serving.minimum_rate import MinimumRate

# Header fields of one request; Apache's LimitRequestFields is 100.
MAX_FIELDS = 128
# Requests that are sent before the ones before are answered (RFC 9112, 9.3.2). Those beyond are
# not taken, and the connection ends with the last one that was; a client may send them again.
MAX_PIPELINED = 8
# Lingering close: how long what a refused client still sends is thrown away, so that it gets to
# read why: bytes that nobody has read when a socket is closed make the kernel reset it (RFC 9112,
# 9.6). This one is for what no application hears of; a body that one refuses while it is read has
# a longer one of its own (service/api/middleware/request_bodies.py), as it may be large.
_LINGER = 2.0
# Seconds that a process which ends still waits for the request of a connection that it accepted.
_LAST_REQUEST = 1.0


class _Phase(Enum):
    """What is awaited of the client."""

    IDLE = auto()  # a request
    HEAD = auto()  # the rest of a head, or the first head of all
    BODY = auto()  # the rest of a body
    OVER = auto()  # nothing more: it was refused


class _Trailers(list[tuple[bytes, bytes]]):
    """Where trailer fields go, which nobody reads (RFC 9110, 6.5.1)."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Forget it."""


class HttpConnection(HttpToolsProtocol):
    """One connection of a client.

    Uvicorn's protocol with what a server that meets the world by itself needs besides: bounds on
    the bytes of a head and of what frames a body, on the time that a head may take, on slow bodies
    and slow readers of answers, and an orderly end of connections that break them (a problem
    document, then a lingering close).

    Args:
        table: All connections of this process.
        config: Uvicorn's; so are the others.
    """

    def __init__(
        self,
        table: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._table = table
        self._limits = limits = table.limits
        self._phase = _Phase.HEAD
        self._refusal: StatusProblem | None = None
        self._began = self._checked = self.loop.time()
        self._served: RequestResponseCycle | None = None  # ``cycle`` may be one that waits
        self._upgrades = False  # whether the request asks for another protocol
        self._resuming = False  # with the body of one that did
        self._head = 0  # bytes of a head that is not complete
        self._framing = 0  # bytes since the last one of a body that belong to none
        self._received = 0  # bytes of a body since the last check
        self._buffered = 0  # bytes of an answer that waited to be sent at the last check
        self._reading = MinimumRate(limits.stall_seconds, limits.rate)
        self._writing = MinimumRate(limits.stall_seconds, limits.rate)

    # Transport

    def connection_made(self, transport: Any) -> None:
        """Take the connection if there is room."""
        super().connection_made(transport)
        if not self._table.opened(self):
            self._refuse(refusals.too_many_connections(self._limits))
        elif self._table.draining:
            self._await_last_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._table.closed(self)
        self._abandon()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, never more of a head than it may have."""
        rest: bytes | memoryview = data
        while rest and self._refusal is None:
            if self._phase is _Phase.IDLE:
                self._begin_head()
            if self._phase is _Phase.HEAD:
                room = self._limits.head_bytes - self._head
                if len(rest) > room:
                    view = memoryview(rest)
                    self._head += room
                    rest = self._feed(view[:room], view[room:])
                else:
                    self._head += len(rest)
                    rest = self._feed(rest, b"")
                if self._phase is _Phase.HEAD and self._head >= self._limits.head_bytes:
                    self._refusal = self._refusal or refusals.head_too_large(self._limits)
            else:
                before = self._received
                self._framing += len(rest)
                rest = self._feed(rest, b"")
                if self._received > before:
                    self._framing = 0
                elif self._framing > self._limits.head_bytes:
                    self._refusal = self._refusal or refusals.framing_too_large(self._limits)
            if self._refusal is not None:
                self._refuse(self._refusal)

    def resume_writing(self) -> None:
        """The client has read most of what was written."""
        super().resume_writing()
        self._writing.renew()

    def _feed(self, piece: bytes | memoryview, rest: bytes | memoryview) -> bytes | memoryview:
        """Parse a piece; returns what is still to be parsed."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade()
            return bytes(piece)[upgrade.args[0] :] + bytes(rest)
        except httptools.HttpParserError as error:
            said = str(error.__context__ or error)[:200]
            self._refusal = self._refusal or refusals.no_http(said)
        return rest

    def _decline_upgrade(self) -> None:
        """Go on with a request as if it did not ask for another protocol (RFC 9110, 7.8).

        Java's client asks for HTTP/2 with its first request, whose body follows the head all the
        same. The parser stops there: another one is told how the body is framed, and goes on.
        """
        framing = {b"content-length", b"transfer-encoding"}
        head = [b"POST / HTTP/1.1"]
        head += [name + b": " + value for name, value in self.scope["headers"] if name in framing]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._resuming = True
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    # Parser

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        if self._resuming:
            return
        super().on_message_begin()
        if self._phase is _Phase.IDLE:  # right behind the end of another request
            self._begin_head()

    def on_headers_complete(self) -> None:
        """Begin the request, if it may be taken."""
        if self._refusal is not None or self._resuming:
            self._resuming = False
            return
        if len(self.headers) > MAX_FIELDS:
            self._refusal = refusals.too_many_fields(len(self.headers), MAX_FIELDS)
        elif (hosts := sum(name == b"host" for name, _ in self.headers)) > 1 or (
            not hosts and self.parser.get_http_version() == "1.1"
        ):
            self._refusal = refusals.not_one_host(hosts)
        elif (
            codings := [
                value.strip(b" \t").lower()
                for name, value in self.headers
                if name == b"transfer-encoding"
            ]
        ) and codings != [b"chunked"]:
            self._refusal = refusals.other_codings()
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = refusals.too_many_pipelined()
        else:
            super().on_headers_complete()
            # Before the application runs, in which proxies may say another one.
            cast("dict[str, Any]", self.scope)[PEER_KEY] = self.client and self.client[0]
            if self._table.draining:
                self.cycle.keep_alive = False
            if not self.pipeline:
                self._served = self.cycle
            self.headers = _Trailers()
            self._phase = _Phase.BODY
            self._framing = self._received = 0
            self._checked = self.loop.time()
            self._reading.renew()
            self._table.sending(self)
            self._upgrades = self.parser.should_upgrade()

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        if self._refusal is None:
            self._received += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of the request."""
        if self._refusal is not None:
            return
        if self._upgrades:  # the parser's opinion; the body follows
            self._upgrades = False
            return
        super().on_message_complete()
        self._phase = _Phase.IDLE
        if self._busy:
            self._table.answered(self)
        else:
            self._wait()

    def on_response_complete(self) -> None:
        """Begin what was asked meanwhile, or await the next request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._served, application = self.pipeline.pop()
            self._start_asgi_task(self._served, application)
        elif self._phase is not _Phase.BODY:
            self._wait()

    # Time, room and the end

    def shutdown(self) -> None:
        """Answer what was asked, then end; a client that has just connected may still ask.

        Streams without an end are told to end.
        """
        if (ending := self.app_state.get(ENDING)) is not None:
            ending.set()
        if self._phase is _Phase.HEAD and not self._busy:
            self._await_last_request()
        else:
            super().shutdown()

    def check(self, now: float) -> None:
        """End the connection if it is too slow."""
        elapsed, self._checked = now - self._checked, now
        if not self._fetches(elapsed):
            self.transport.abort()
        elif self._phase is _Phase.BODY:
            self._check_body(elapsed)
        elif self._phase is _Phase.OVER:
            if now - self._began > _LINGER:
                self._close_or_abort()
        elif self._busy or self.transport.is_closing():
            pass
        elif self._phase is _Phase.IDLE:
            if now - self._began > self._limits.idle_seconds:
                self.transport.close()
        elif now - self._began > self._limits.head_seconds:
            if self._head:
                self._refuse(refusals.slow_head(self._limits))
            else:
                self.transport.close()

    def evict(self) -> None:
        """Make room for another connection."""
        self._abandon()
        self._close_or_abort()

    def cut(self) -> None:
        """End the connection, with an answer if none was begun."""
        cycle = self.cycle
        self._phase = _Phase.OVER
        if self._busy and not (cycle.response_started or self.pipeline):
            self._write(refusals.shutting_down())
            self._abandon()
            self.transport.close()
        else:
            self._abandon()
            self.transport.abort()

    @property
    def _busy(self) -> bool:
        """Whether a request is worked on; ``cycle`` is the last one that was begun."""
        return self.cycle is not None and not self.cycle.response_complete

    def _begin_head(self) -> None:
        self._phase = _Phase.HEAD
        self._head = 0
        self._began = self.loop.time()

    def _wait(self) -> None:
        """Everything that was asked has been answered."""
        self._began = self.loop.time()
        self._table.silent(self)

    def _await_last_request(self) -> None:
        """End the connection if no request is complete soon.

        Its bytes may be here already, behind those that made the connection: another process,
        which goes on, would have answered them.
        """

        def end() -> None:
            if self._phase is _Phase.HEAD and not self._busy:
                self.transport.close()

        self.loop.call_later(_LAST_REQUEST, end)

    def _fetches(self, elapsed: float) -> bool:
        """Whether the client takes what was written fast enough."""
        before, self._buffered = self._buffered, self.transport.get_write_buffer_size()
        if self._buffered:
            return self._writing.keeps(elapsed if before else 0, max(0, before - self._buffered))
        if before:
            self._writing.renew()
        return True

    def _check_body(self, elapsed: float) -> None:
        received, self._received = self._received, 0
        answered = not self._busy
        # Whoever may not send, or was not told to go on, is not slow.
        if self.flow.read_paused or (not answered and self.cycle.waiting_for_100_continue):
            return
        # What comes after the answer is thrown away, which is not done for ever.
        if not self._reading.keeps(elapsed, 0 if answered else received):
            self._refuse(refusals.slow_body(self._limits))

    def _refuse(self, problem: StatusProblem) -> None:
        """Answer with a problem, read no more, and close when the client had time to see it."""
        self._refusal = problem
        if self._busy:
            if self.pipeline or self._phase is not _Phase.BODY:
                # The request at fault came behind others, which are answered first.
                self.cycle.keep_alive = False
                return
            if self.cycle.response_started:
                self._abandon()
                self.transport.abort()
                return
        elif self._phase is _Phase.BODY:  # which has been answered
            self._close_or_abort()
            return
        self._phase = _Phase.OVER
        self._began = self.loop.time()
        self._write(problem)
        self._abandon()
        self._table.silent(self)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _abandon(self) -> None:
        """Let the application know that its client is gone."""
        for cycle in (self._served, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.waiting_for_100_continue = False  # nothing more is said
                cycle.message_event.set()

    def _close_or_abort(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _write(self, problem: StatusProblem) -> None:
        headers = self.server_state.default_headers
        self.transport.write(refusals.response_bytes(problem, headers))
