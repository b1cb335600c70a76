"""Passes of the text tower: one thread, whose batches are short while others wait."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic, perf_counter

import torch
from prometheus_client import Gauge, Histogram
from torch import Tensor

from service.encoding.fair_queue import LOWER_SHARE, Priority
from service.encoding.throughput import Throughput
from service.tenancy import tenant_of

SIZE = Histogram("handful_text_batch_size", "Texts in one pass.", buckets=(1, 2, 4, 8, 16, 32, 64))
SECONDS = Histogram("handful_text_seconds", "Duration of one pass of the text tower.")
WAITING = Gauge(
    "handful_waiting_texts",
    "Prompts of a piece that is being embedded.",
    ["lane"],
    multiprocess_mode="livesum",
)
# Prompts of a pass while nobody else waits: more are no quicker each.
ALONE = 64
# ... and while others wait for names, or queries for the processors. A pass is what nobody can be
# taken out of, and what a query may meet.
SHARED = 16
BESIDE_QUERIES = 4
# How often it is looked whether queries still wait.
_LOOK = 0.002


class PendingTexts:
    """Prompts of one request on their way through the tower.

    Attributes:
        prompts: In the order in which they are embedded.
        answer: (n, d) unit rows in that order, or the error of a pass.
    """

    def __init__(self, prompts: Sequence[str], answer: asyncio.Future[Tensor]) -> None:
        self.prompts = prompts
        self.answer = answer
        self.begun = 0
        self.rows: list[Tensor] = []
        self.over = False

    @property
    def left(self) -> int:
        """Prompts that no pass has begun with."""
        return len(self.prompts) - self.begun

    def tell(self, error: BaseException | None = None) -> None:
        """Wake who waits for it; from any thread."""

        def told() -> None:
            if self.answer.done():
                return
            if error is None:
                self.answer.set_result(torch.cat(self.rows))
            else:
                self.answer.set_exception(error)

        with suppress(RuntimeError):  # the event loop has ended, and so has everyone who waited
            self.answer.get_loop().call_soon_threadsafe(told)


class TextPasses:
    """Embeds prompts in one thread; requests of different keys take turns, and share passes.

    While queries wait for the image tower, passes take one turn in ``LOWER_SHARE``, as
    registrations of images do.

    Attributes:
        throughput: Moving average of prompts embedded a second.

    Args:
        encode: The text tower, n prompts to (n, d).
        queries_wait: Whether queries wait for the processors that it computes on.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Tensor],
        queries_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self.throughput = Throughput()
        self._encode = encode
        self._queries_wait = queries_wait
        self._wait = Condition()
        # By tenant, then by key; the first has its turn next. What has no prompts has no entry.
        self._queue: OrderedDict[str, OrderedDict[str, deque[PendingTexts]]] = OrderedDict()
        self._closed = False
        self._last = 0.0
        WAITING.labels(Priority.REGISTRATIONS)  # told from the start
        self._thread = Thread(target=self._run, name="texts", daemon=True)
        self._thread.start()

    def submit(self, prompts: Sequence[str], key: str) -> PendingTexts:
        """Take in the prompts of a request, one or more; for the event loop's thread.

        Args:
            prompts: Those of a length are best beside each other: the longest of a pass decides.
            key: A qualified name: tenants take turns, and within a tenant its keys.
        """
        pending = PendingTexts(prompts, asyncio.get_running_loop().create_future())
        with self._wait:
            if not self._queue:
                self.throughput.begin(monotonic())
            keys = self._queue.setdefault(tenant_of(key), OrderedDict())
            keys.setdefault(key, deque()).append(pending)
            WAITING.labels(Priority.REGISTRATIONS).inc(len(prompts))
            self._wait.notify_all()
        return pending

    def withdraw(self, pending: PendingTexts) -> None:
        """Forget a request: what is not begun of it is not done."""
        with self._wait:
            self._end(pending)
        pending.answer.cancel()

    def close(self) -> None:
        """Stop once the pass under way is done; requests that still wait are cancelled."""
        with self._wait:
            self._closed = True
            self._wait.notify_all()
        self._thread.join()
        with self._wait:
            left = [
                pending
                for keys in self._queue.values()
                for waiting in keys.values()
                for pending in waiting
            ]
        for pending in left:
            self.withdraw(pending)

    # In the thread

    def _run(self) -> None:
        while True:
            with self._wait:
                while not (self._queue or self._closed):
                    self._wait.wait()
                short = self._let_queries_pass()
                if self._closed:
                    return
                batch = self._next_batch(short=short)
            if batch:
                self._pass(batch)
            del batch  # a thread that waits for the next must not hold on to the last

    def _let_queries_pass(self) -> bool:
        """Wait while queries do, for a few passes' time; returns whether there are any."""
        if not self._queries_wait():
            return False
        end = monotonic() + (LOWER_SHARE - 1) * self._last
        while self._queries_wait() and monotonic() < end and not self._closed:
            self._wait.wait(_LOOK)
        return True

    def _next_batch(self, *, short: bool) -> list[tuple[PendingTexts, Sequence[str]]]:
        """Prompts of the next pass: as many of each tenant, and of each key, while they have them.

        Whose turn did not come is first in the next.
        """
        alone = len(self._queue) == 1 and len(next(iter(self._queue.values()))) == 1
        most = ALONE if alone else SHARED
        most = BESIDE_QUERIES if short else most
        batch: list[tuple[PendingTexts, Sequence[str]]] = []
        while most and self._queue:
            share = max(1, most // len(self._queue))
            for _ in range(min(most, len(self._queue))):
                tenant, keys = self._queue.popitem(last=False)
                some = _share_of(keys, share)
                most -= sum(len(prompts) for _, prompts in some)
                batch += some
                if keys:
                    self._queue[tenant] = keys
        return batch

    def _pass(self, batch: Sequence[tuple[PendingTexts, Sequence[str]]]) -> None:
        texts = [text for _, some in batch for text in some]
        begin = perf_counter()
        try:
            rows = self._encode(texts)
        except BaseException as error:
            with self._wait:
                failed = [one for one in dict.fromkeys(p for p, _ in batch) if not one.over]
                for pending in failed:
                    self._end(pending)
            for pending in failed:
                pending.tell(error)
            return
        self._last = perf_counter() - begin
        SIZE.observe(len(texts))
        SECONDS.observe(self._last)
        finished = []
        with self._wait:
            self.throughput.note(len(texts), monotonic())
            for (pending, some), of_it in zip(
                batch, torch.split(rows, [len(some) for _, some in batch]), strict=True
            ):
                if pending.over:
                    continue
                WAITING.labels(Priority.REGISTRATIONS).dec(len(some))
                pending.rows.append(of_it)
                if sum(map(len, pending.rows)) == len(pending.prompts):
                    pending.over = True
                    finished.append(pending)
        for pending in finished:
            pending.tell()

    def _end(self, pending: PendingTexts) -> None:
        """Take a request out, under the lock."""
        if pending.over:
            return
        pending.over = True
        WAITING.labels(Priority.REGISTRATIONS).dec(
            len(pending.prompts) - sum(map(len, pending.rows))
        )
        for tenant, keys in self._queue.items():
            for key, waiting in keys.items():
                if pending in waiting:
                    waiting.remove(pending)
                    if not waiting:
                        del keys[key]
                    if not keys:
                        del self._queue[tenant]
                    return


def _share_of(
    keys: OrderedDict[str, deque[PendingTexts]], most: int
) -> list[tuple[PendingTexts, Sequence[str]]]:
    """Take prompts of one tenant, of each key as many as of another."""
    taken: list[tuple[PendingTexts, Sequence[str]]] = []
    while most and keys:
        each = max(1, most // len(keys))
        key, waiting = keys.popitem(last=False)
        pending = waiting[0]
        some = pending.prompts[pending.begun : pending.begun + each]
        pending.begun += len(some)
        most -= len(some)
        taken.append((pending, some))
        if not pending.left:
            waiting.popleft()
        if waiting:
            keys[key] = waiting
    return taken
