"""Attack: many connections at once that send hostile requests, and judge what comes back."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.campaigns.requests.answers import Answer, Answers, NotHttp, requests_in
from tests.campaigns.requests.framing import ill_framed
from tests.campaigns.requests.judging import fault_of, ids_in
from tests.campaigns.requests.operations import Seen
from tests.campaigns.requests.request import Request

# Seconds in which a whole request has to be answered, on a machine that others use, too.
PATIENCE = 60.0
# Seconds of silence after which nothing more is awaited of what was no whole request.
_SILENCE = 0.05
# As many as a connection may send before the first is answered.
_PIPELINED = 8
_KINDS = ("whole", "ill framed", "hung up")
_SHARES = (0.60, 0.28, 0.12)
_MOST_FAULTS = 50
_RESET = struct.pack("ii", 1, 0)

Maker = Callable[[random.Random], Request]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be.

    Attributes:
        what: In words.
        sent: All that was sent on the connection, as far as it matters.
    """

    what: str
    sent: bytes = b""


@dataclass
class Tally:
    """What has been sent and what was answered.

    Attributes:
        sent: Requests by kind.
        answers: Of whole requests and others, by status; 0 for those cut off by a refusal before.
        faults: The first of them.
        slowest: Seconds of the slowest answer to what was sent together.
    """

    sent: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    slowest: float = 0.0

    def fault(self, what: str, sent: bytes = b"") -> None:
        """Remember one, unless there are very many."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(what, sent))


class Attack:
    """Sends requests to a service.

    Args:
        url: Of the service.
        make: Draws a request.
        seen: Told of ids in answers.
        tally: Counts all of it.
    """

    def __init__(self, url: str, make: Maker, seen: Seen, tally: Tally) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._make, self._seen, self._tally = make, seen, tally

    async def run(self, number: int, connections: int, seed: str) -> None:
        """Send so many requests by so many connections at a time."""
        shares = [
            number // connections + (one < number % connections) for one in range(connections)
        ]
        workers = [
            self._work(share, random.Random(f"{seed} {one}")) for one, share in enumerate(shares)
        ]
        await asyncio.gather(*workers)

    async def _work(self, left: int, draw: random.Random) -> None:
        connection: _Connection | None = None
        try:
            while left > 0:
                [kind] = draw.choices(_KINDS, _SHARES)
                if kind == "whole":
                    count = min(draw.randrange(1, _PIPELINED + 1), left)
                    if connection is None or connection.answers.ended:
                        connection = await self._opened(connection)
                    if not await self._whole(connection, count, draw):
                        await self._closed(connection)
                        connection = None
                else:
                    count = 1
                    alone = await self._opened(None)
                    try:
                        await (self._ill if kind == "ill framed" else self._hung)(alone, draw)
                    finally:
                        await self._closed(alone)
                self._tally.sent[kind] += count
                left -= count
        except OSError as error:
            self._tally.fault(f"the service takes no connection: {error!r}")
        finally:
            await self._closed(connection)

    async def _opened(self, before: _Connection | None) -> _Connection:
        await self._closed(before)
        return _Connection(*await asyncio.open_connection(self._host, self._port))

    async def _closed(self, connection: _Connection | None) -> None:
        if connection is not None:
            connection.writer.close()
            with suppress(OSError):
                await connection.writer.wait_closed()

    async def _whole(self, connection: _Connection, count: int, draw: random.Random) -> bool:
        """Requests that have to be answered, pipelined; whether the connection can go on."""
        requests = [self._make(draw) for _ in range(count)]
        sent = b"".join(one.rendered() for one in requests)
        connection.answers.expect(one.method == b"HEAD" for one in requests)
        begun = time.monotonic()
        answered, last = 0, False
        try:
            async with asyncio.timeout(PATIENCE):
                connection.writer.write(sent)
                while answered < count and not last:
                    data = await connection.received()
                    for answer in connection.answers.read(data):
                        self._judge(answer, sent, requests[answered])
                        answered, last = answered + 1, answer.closes
                    if (part := connection.answers.begun) is not None and part.is_endless:
                        self._tally.answers[part.status] += 1
                        return False
                    if not data and not last:
                        self._tally.fault(
                            f"the connection ended after {answered} of {count} answers", sent
                        )
                        return False
        except TimeoutError:
            self._tally.fault(f"{answered} of {count} answered in {PATIENCE:.0f} s", sent)
            return False
        except NotHttp as error:
            self._tally.fault(f"no HTTP: {error}", sent)
            return False
        self._tally.slowest = max(self._tally.slowest, time.monotonic() - begun)
        self._tally.answers[0] += count - answered
        return not last

    async def _ill(self, connection: _Connection, draw: random.Random) -> None:
        """Bytes that may be no request: what a strict reader sees in them is answered."""
        sent = ill_framed(self._make(draw), draw)
        whole, most = requests_in(sent)
        connection.answers.expect([False] * most)
        answered, ended = 0, False
        connection.writer.write(sent)
        try:
            while not ended:
                part = connection.answers.begun
                owed = answered < whole or part is not None
                try:
                    async with asyncio.timeout(PATIENCE if owed else _SILENCE):
                        data = await connection.received()
                except TimeoutError:
                    if owed:
                        more = " and a part" if part is not None else ""
                        self._tally.fault(f"{answered}{more} of {whole} answered", sent)
                    return
                for answer in connection.answers.read(data):
                    self._judge(answer, sent)
                    answered, ended = answered + 1, answer.closes
                if (part := connection.answers.begun) is not None and part.is_endless:
                    self._tally.answers[part.status] += 1
                    return
                if not data and not ended and answered < whole:
                    self._tally.fault(
                        f"the connection ended after {answered} of {whole} answers", sent
                    )
                ended = ended or not data
        except NotHttp as error:
            self._tally.fault(f"no HTTP: {error}", sent)

    async def _hung(self, connection: _Connection, draw: random.Random) -> None:
        """A part of a request, or a whole one whose answer nobody awaits."""
        sent = self._make(draw).rendered()
        if draw.random() < 0.7:
            sent = sent[: draw.randrange(len(sent))]
        connection.writer.write(sent)
        if draw.random() < 0.5:
            await asyncio.sleep(draw.choice((0, 0.002, 0.02)))
        if draw.random() < 0.5:
            place = connection.writer.get_extra_info("socket")
            place.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _judge(self, answer: Answer, sent: bytes, request: Request | None = None) -> None:
        self._tally.answers[answer.status] += 1
        if (fault := fault_of(answer, request)) is not None:
            self._tally.fault(fault, sent)
        for identifier in ids_in(answer):
            self._seen.add(identifier)


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answers: Answers = field(default_factory=Answers)

    async def received(self) -> bytes:
        """What has come; nothing where the other side has closed or reset."""
        try:
            return await self.reader.read(2**18)
        except ConnectionError:
            return b""
