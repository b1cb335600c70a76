"""Connections that send prepared requests and read of the answers only what says they are whole."""

from __future__ import annotations

import asyncio
import gc
import math
import random
import re
from collections import Counter, deque
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

from benchmarks.load.plan import LOST, OK, UNANSWERED, Plan, Report, percentile

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
_STATUS = slice(9, 12)


class AnswerNotUnderstood(RuntimeError):
    """An answer without a content-length, which this generator cannot find the end of."""


async def generate(plan: Plan) -> Report:
    """Make the load and wait for its answers.

    Raises:
        OSError: The server takes no connections.
        AnswerNotUnderstood: It answers in another way than with a content-length.
    """
    gc.disable()  # nothing here makes cycles, and a collection would show in the latencies
    try:
        kind = _ClosedLoop if plan.rate is None else _OpenLoop
        return await kind(plan).run()
    finally:
        gc.enable()


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: Any = None
        self._received = bytearray()
        self._whole: int | None = None
        self.waiting_since: float | None = None
        self.used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, parts: tuple[bytes, bytes], since: float) -> None:
        self.waiting_since = since
        self._transport.writelines(parts)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if self._whole is None:
            end = received.find(_HEAD_END)
            if end < 0:
                return
            length = _LENGTH.search(received, 0, end)
            if length is None:
                head = bytes(received[:end]).decode(errors="replace")
                self._load.fail(AnswerNotUnderstood(f"no content-length in:\n{head}"))
                return
            self._whole = end + len(_HEAD_END) + int(length[1])
        if len(received) < self._whole or self.waiting_since is None:
            return
        status, since = received[_STATUS].decode(), self.waiting_since
        self._whole, self.waiting_since, self.used = None, None, True
        received.clear()
        self._load.answered(self, status, since)

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost(self, begun=bool(self._received))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Load:
    """What both loops share: who sends next, and what counts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.parts = [(request.head, request.body) for request in plan.requests]
        self.turn = 0
        self.open: set[_Connection] = set()
        self.opening = 0
        self.idle: list[_Connection] = []
        self.queue: deque[float] = deque()
        self.unanswered = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.outcomes: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.arrivals: list[tuple[float, float]] = []
        self.lateness: list[float] = []
        self.total = 0

    async def run(self) -> Report:
        for _ in range(self.first_connections()):
            await self._open()
        processor = process_time()
        self.begin = perf_counter() + self.plan.warm_up
        self.end = self.begin + self.plan.seconds
        self.start()
        timeout = self.plan.warm_up + self.plan.seconds + self.plan.patience
        try:
            async with asyncio.timeout(timeout):
                await self.done
        except TimeoutError:
            self.give_up()
        for connection in self.open.copy():
            connection.close()
        return Report(
            self.plan.seconds,
            sorted(self.latencies),
            dict(self.outcomes),
            percentile(sorted(self.lateness), 0.99) if self.lateness else 0.0,
            (process_time() - processor) / max(self.total, 1),
            sorted(self.arrivals),
        )

    def first_connections(self) -> int:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def after_answer(self, now: float) -> None:
        """Called after each answer, before the end is looked for."""

    def counts(self, since: float, now: float) -> bool:
        raise NotImplementedError

    def more_to_come(self) -> bool:
        return False

    def give_up(self) -> None:
        waiting = [c.waiting_since for c in self.open if c.waiting_since is not None]
        for since in (*waiting, *self.queue):
            self.note(UNANSWERED, since, self.begin)

    def note(self, outcome: str, since: float, now: float) -> None:
        """What became of a request, if it counts."""
        if self.counts(since, now):
            self.outcomes[outcome] += 1
            if outcome == OK:
                self.latencies.append(now - since)
            if self.plan.rate_before is not None:
                latency = now - since if outcome == OK else math.inf
                self.arrivals.append((since - self.begin, latency))

    def issue(self, since: float) -> None:
        """Send the next request, or let it wait for a connection."""
        self.unanswered += 1
        if self.idle:
            self._send(self.idle.pop(), since)
            return
        self.queue.append(since)
        if len(self.open) + self.opening < self.plan.connections:
            self._open_soon()

    def answered(self, connection: _Connection, status: str, since: float) -> None:
        now = perf_counter()
        self.total += 1
        self.unanswered -= 1
        self.note(status, since, now)
        self._free(connection)
        self._after(now)

    def lost(self, connection: _Connection, *, begun: bool) -> None:
        """Make good a connection that the server closed."""
        if connection not in self.open or self.done.done():
            return
        self.open.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        since = connection.waiting_since
        if since is None:
            return
        if connection.used and not begun:
            # A kept connection that was closed as the request was on its way: clients try anew.
            self.queue.appendleft(since)
            self._open_soon()
            return
        now = perf_counter()
        self.unanswered -= 1
        self.note(LOST, since, now)
        self._after(now)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _after(self, now: float) -> None:
        self.after_answer(now)
        if self.unanswered == 0 and not self.more_to_come() and not self.done.done():
            self.done.set_result(None)

    def _send(self, connection: _Connection, since: float) -> None:
        parts = self.parts[self.turn]
        self.turn = (self.turn + 1) % len(self.parts)
        connection.send(parts, since)

    def _free(self, connection: _Connection) -> None:
        if self.queue:
            self._send(connection, self.queue.popleft())
        else:
            self.idle.append(connection)

    def _open_soon(self) -> None:
        self.opening += 1
        task = asyncio.create_task(self._opened())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _opened(self) -> None:
        try:
            await self._open()
        except OSError as error:
            self.fail(error)
        finally:
            self.opening -= 1

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self), "127.0.0.1", self.plan.port
        )
        self.open.add(connection)
        self._free(connection)


class _ClosedLoop(_Load):
    """As many requests at a time as there are connections."""

    def first_connections(self) -> int:
        return self.plan.connections

    def start(self) -> None:
        for _ in range(self.plan.connections):
            self.issue(perf_counter())

    def after_answer(self, now: float) -> None:
        if now < self.end:
            self.issue(now)

    def counts(self, since: float, now: float) -> bool:
        return self.begin <= now < self.end


class _OpenLoop(_Load):
    """Requests that are sent when they are due, whatever became of those before them."""

    def first_connections(self) -> int:
        return min(16, self.plan.connections)

    def start(self) -> None:
        self._due = arrivals(self.plan, self.begin - self.plan.warm_up)
        self._next: float | None = next(self._due, None)
        self._arrive()

    def more_to_come(self) -> bool:
        return self._next is not None

    def counts(self, since: float, now: float) -> bool:
        return self.begin <= since < self.end

    def _arrive(self) -> None:
        while self._next is not None and self._next <= (now := perf_counter()):
            if self.idle:
                self.lateness.append(now - self._next)
            since, self._next = self._next, next(self._due, None)
            self.issue(since)
        if self._next is not None:
            wait = self._next - perf_counter()
            asyncio.get_running_loop().call_later(max(0.0, wait), self._arrive)


def arrivals(plan: Plan, begin: float) -> Iterator[float]:
    """When the requests of an open loop are due: a Poisson process, of one rate or two."""
    assert plan.rate is not None
    rng = random.Random(plan.seed)
    time, step = begin, begin + plan.warm_up
    if plan.rate_before is not None:
        while (time := time + rng.expovariate(plan.rate_before)) < step:
            yield time
        time = step
    while (time := time + rng.expovariate(plan.rate)) < step + plan.seconds:
        yield time
