"""Answers of one connection, read strictly (h11), each for the request that it is of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import h11

_HOST = [("host", "localhost")]
_ASKED = {True: h11.Request(method="HEAD", target="/", headers=_HOST)}
_ASKED[False] = h11.Request(method="POST", target="/", headers=_HOST)
_END = h11.EndOfMessage()
_REFUSED = h11.Response(status_code=405, headers=[("content-length", "0")])
# Of a head or chunk size, in bytes.
_LONGEST = 256 * 2**10


class NotHttp(Exception):
    """What was answered is not HTTP/1.1 as it should be."""


@dataclass(slots=True)
class Answer:
    """An answer.

    Attributes:
        status: Of it.
        media_type: Without parameters; empty without one.
        body: What has come of it.
        closes: Whether the connection ends with it.
    """

    status: int
    media_type: str = ""
    body: bytes = b""
    closes: bool = False

    @property
    def is_endless(self) -> bool:
        """Whether it is a stream of events, whose end nobody should wait for."""
        return self.media_type == "text/event-stream"


class Answers:
    """The reading side of one connection, for its whole life."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST)
        self._asked: deque[bool] = deque()
        self._begun: Answer | None = None
        self._waits = False
        self.ended = False

    def expect(self, heads: Iterable[bool]) -> None:
        """Requests are sent, each of HEAD or not."""
        self._asked.extend(heads)

    @property
    def missing(self) -> int:
        """Requests without an answer; one of which a part has come counts."""
        return len(self._asked) + self._waits

    @property
    def begun(self) -> Answer | None:
        """The answer of which only a part has come."""
        return self._begun

    def read(self, data: bytes) -> list[Answer]:
        """The answers that these bytes complete; none: the other side has closed.

        Raises:
            NotHttp: They are none, or more than were asked for.
        """
        if not data and self._begun is None:
            self.ended = True
            return []
        try:
            self._http.receive_data(data)
            return list(self._complete())
        except h11.RemoteProtocolError as error:
            raise NotHttp(str(error)) from error

    def _complete(self) -> Iterable[Answer]:
        while not self.ended:
            if not self._waits:
                if not self._asked:
                    if self._http.trailing_data[0]:
                        raise NotHttp("there is an answer that nobody has asked for")
                    return
                self._http.send(_ASKED[self._asked.popleft()])
                self._http.send(_END)
                self._waits = True
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                fields = dict(event.headers)
                kind = fields.get(b"content-type", b"").decode("latin-1").partition(";")[0]
                closes = b"close" in fields.get(b"connection", b"").lower()
                self._begun = Answer(event.status_code, kind, closes=closes)
            elif isinstance(event, h11.Data):
                assert self._begun is not None
                self._begun.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert self._begun is not None
                done, self._begun, self._waits = self._begun, None, False
                if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                    self._http.start_next_cycle()
                else:
                    self.ended = True
                yield done
            elif event is h11.NEED_DATA:
                return
            elif isinstance(event, h11.ConnectionClosed):
                self.ended = True


def requests_in(sent: bytes) -> tuple[int, int]:
    """How many requests there are in what is sent: at least, and at most.

    At least as many have to be answered as a strict server sees, up to the first error. Where it
    sees no error, no other server may see more, and one that is not whole may be refused; beyond
    one there may be as many as there are request lines.
    """
    number, most = 0, 1 + sent.count(b" HTTP/1.")
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST)
    http.receive_data(sent)
    try:
        while (event := http.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.EndOfMessage):
                number += 1
                http.send(_REFUSED)  # so that CONNECT ends nothing
                http.send(_END)
                if http.our_state is not h11.DONE:
                    return number, most
                http.start_next_cycle()
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError:
        return number, most
    return number, number + 1
