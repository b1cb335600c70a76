"""Batches of all processes: what waits in their slots shares passes of one encoder."""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import Lock, Thread
from time import perf_counter
from typing import NamedTuple

from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from service.encoder_process.frames import Closed, Frame, Kind, receive, send
from service.encoder_process.slots import Slots
from service.encoding.fair_queue import FairQueue, Priority
from service.encoding.pass_metrics import IMAGES
from service.telemetry.request_trace import RequestTrace, continued_trace

logger = logging.getLogger("handful")


class Session:
    """A connection whose slots are encoded; one request at a time.

    Attributes:
        connection: To the process of the service.
        slots: Its memory.
        process: Sessions of one process take turns with those of others.
    """

    def __init__(self, connection: socket.socket, slots: Slots, process: str) -> None:
        self.connection = connection
        self.slots = slots
        self.process = process
        self.request: Request | None = None


class Request:
    """Slots of a session that are to be encoded.

    Attributes:
        session: Whose.
        count: The first so many slots.
        priority: Whether others go before them.
        missing: How many are not encoded. Slots are somebody else's only when none is: a pass of
            some of them may still run when another one has failed.
        error: Why a pass of some of them has failed; empty if none has.
        trace: That of the span which asks for it; None: it is not traced.
        since: When it came, by ``perf_counter``.
    """

    def __init__(
        self, session: Session, count: int, priority: Priority, trace: RequestTrace | None = None
    ) -> None:
        self.session = session
        self.trace = trace
        self.since = perf_counter()
        self.count = count
        self.priority = priority
        self.missing = count
        self.error = ""


class Waiting(NamedTuple):
    """One picture that waits: a slot of a request."""

    request: Request
    slot: int


class Run(NamedTuple):
    """Slots of one request, one after the other, that are in one pass."""

    request: Request
    slots: slice

    @property
    def pixels(self) -> Tensor:
        """(n, H, W, 3) uint8, where they lie."""
        return self.request.session.slots.pixels[self.slots]

    def write(self, rows: ImageEmbeddings) -> None:
        """Write their rows into their slots."""
        slots = self.request.session.slots
        slots.frozen[self.slots] = rows.frozen
        slots.corrected[self.slots] = rows.corrected

    @property
    def images(self) -> int:
        """N."""
        return int(self.slots.stop - self.slots.start)


class ImagePasses:
    """Encodes what waits in the slots of all sessions, by as many threads as passes may overlap.

    There is no timer: a thread that is free takes what waits, or listens until something does.
    Processes take turns, picture by picture; queries go before registrations, as in each process
    (:class:`service.encoding.fair_queue.FairQueue`). A session that is gone takes along what was
    not begun.

    Args:
        encode: One pass: several (n, H, W, 3) uint8 tensors, one after the other, to their rows.
        batch: Most pictures of a pass.
        passes: Passes at the same time.
    """

    def __init__(
        self, encode: Callable[[Sequence[Tensor]], ImageEmbeddings], batch: int, passes: int
    ) -> None:
        self._encode = encode
        self._batch = batch
        # One thread listens, and takes its batch; the others wait for that, or compute.
        self._turn = Lock()
        # Of the queue and of all that requests count.
        self._lock = Lock()
        self._queue: FairQueue[Waiting] = FairQueue()
        self._joining: list[Session] = []
        self._registering = 0
        self._may_register = max(1, passes - 1)
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._threads = [
            Thread(target=self._work, name=f"encoder-{i}", daemon=True) for i in range(passes)
        ]
        for thread in self._threads:
            thread.start()

    def join(self, session: Session) -> None:
        """Listen to a session from now on."""
        with self._lock:
            self._joining.append(session)
        self._interrupt()

    def close(self) -> None:
        """Stop the threads once their passes are done, and let all sessions go."""
        self._closed = True
        self._interrupt()
        for thread in self._threads:
            thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Session):
                key.data.connection.close()
        for session in self._joining:
            session.connection.close()
        self._selector.close()
        self._woken.close()
        self._wake.close()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            background = all(one.request.priority is not Priority.QUERIES for one in batch)
            self._pass(_runs(batch))
            del batch  # a thread that waits for the next must not hold on to the last
            if background:
                with self._lock:
                    self._registering -= 1
                self._interrupt()  # who listens may have had to leave some

    def _next_batch(self) -> list[Waiting] | None:
        """Wait for pictures; None once this is closed."""
        with self._turn:
            batch: list[Waiting] = []
            self._listen(block=False)
            while not self._closed:
                with self._lock:
                    batch = self._queue.take(
                        self._batch, background=self._registering < self._may_register
                    )
                    if batch:
                        self._registering += all(
                            one.request.priority is not Priority.QUERIES for one in batch
                        )
                        return batch
                self._listen(block=True)
            return None

    def _listen(self, *, block: bool) -> None:
        """Take in what sessions have sent; for the thread whose turn it is."""
        with self._lock:
            joining, self._joining = self._joining, []
        for session in joining:
            self._selector.register(session.connection, selectors.EVENT_READ, session)
        for key, _ in self._selector.select(None if block else 0):
            if isinstance(key.data, Session):
                self._hear(key.data)
            else:
                self._woken.recv(4096)

    def _hear(self, session: Session) -> None:
        try:
            frame = receive(session.connection)
            if frame.kind is not Kind.IMAGES or session.request is not None:
                raise Closed(f"{frame.kind.name} at the wrong time")
            if not 1 <= frame.items <= len(session.slots.pixels):
                raise Closed(f"{frame.items} images do not fit")
            if _has_ended(session.connection):
                raise Closed("nobody waits for these images")
        except (OSError, ValueError):
            self._forget(session)
            return
        priority = Priority.REGISTRATIONS if frame.background else Priority.QUERIES
        trace = continued_trace(frame.payload)
        request = session.request = Request(session, frame.items, priority, trace)
        with self._lock:
            for slot in range(frame.items):
                self._queue.put(Waiting(request, slot), session.process, priority)

    def _forget(self, session: Session) -> None:
        """Take out what a process that is gone has left."""
        self._selector.unregister(session.connection)
        session.connection.close()
        if session.request is not None:
            with self._lock:
                self._discard(session.request)

    def _discard(self, request: Request) -> int:
        """Take slots of a request out of the queue; returns how many were there."""
        key, priority = request.session.process, request.priority
        return sum(
            self._queue.discard(Waiting(request, slot), key, priority)
            for slot in range(request.count)
        )

    def _pass(self, runs: Sequence[Run]) -> None:
        start = perf_counter()
        try:
            rows = self._encode([run.pixels for run in runs])
            at = 0
            for run in runs:
                run.write(rows[at : at + run.images])
                at += run.images
            IMAGES.size.observe(at)
            IMAGES.seconds.observe(perf_counter() - start)
            _trace(runs, start)
        except Exception as error:
            _trace(runs, start, error)
            logger.exception("a pass failed")
            self._count(runs, f"{type(error).__name__}: {error}")
            return
        self._count(runs)

    def _count(self, runs: Sequence[Run], error: str = "") -> None:
        """Count what a pass has done, or has failed to do, and answer whose all is done."""
        with self._lock:
            for run in runs:
                request = run.request
                request.missing -= run.images
                if error:
                    request.error = error
                    request.missing -= self._discard(request)
            over = [run.request for run in runs if run.request.missing == 0]
        for request in over:
            _answer(request)

    def _interrupt(self) -> None:
        """Let the thread that listens look again."""
        with suppress(BlockingIOError):  # it has been told often enough
            self._wake.send(b"!")


def _runs(batch: Iterable[Waiting]) -> list[Run]:
    """Put together what lies together: a queue gives the slots of a request in their order."""
    first: dict[Request, int] = {}
    counts: dict[Request, int] = {}
    for request, slot in batch:
        first.setdefault(request, slot)
        counts[request] = counts.get(request, 0) + 1
    return [Run(each, slice(start, start + counts[each])) for each, start in first.items()]


def _trace(runs: Sequence[Run], begun: float, error: Exception | None = None) -> None:
    """Write a pass down in the traces of those whose slots were in it."""
    size = sum(run.images for run in runs)
    for request, images in ((run.request, run.images) for run in runs):
        if request.trace is not None:
            told = {"handful.batch.size": size, "handful.batch.own": images}
            request.trace.add("queue", request.since, begun, {"handful.queue": "encoder process"})
            request.trace.add("pass", begun, perf_counter(), told, error)


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other side, which has nothing more to say, is gone."""
    with suppress(BlockingIOError):
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return False


def _answer(request: Request) -> None:
    """Tell who waits; whoever is gone is forgotten by the thread that listens."""
    request.session.request = None
    if request.error:
        frame = Frame(Kind.FAILED, payload=request.error.encode()[:4096])
    else:
        frame = Frame(Kind.DONE, request.count)
    with suppress(OSError):
        send(request.session.connection, frame)
