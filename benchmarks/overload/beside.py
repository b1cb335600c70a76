"""What others ask while a tenant asks for too much: probes, registrations, a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2 as httpx

from benchmarks.load.plan import percentile
from benchmarks.servers import CLASSIFIER

OK = range(200, 300)
MORE = f"{CLASSIFIER}/classes/more/images"
"""Where images are registered meanwhile."""
REFUSED = str(int(httpx.codes.SERVICE_UNAVAILABLE))
"""The status that an overload is answered with, as reports of loads name it."""
# Requests of a kind that may be under way; what is due beyond waits, which counts.
_AT_ONCE = 32


@dataclass
class Answers:
    """Answers to one kind of request.

    Attributes:
        seconds: That each good one took, from when it was due.
        told: Seconds that those who were refused were told to wait.
        others: Statuses that are neither, and errors of requests without an answer.
    """

    seconds: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def note(self, answer: httpx.Response, seconds: float) -> None:
        """Count one."""
        if answer.status_code in OK:
            self.seconds.append(seconds)
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.told.append(int(answer.headers["retry-after"]))
        else:
            self.others.append(str(answer.status_code))

    @property
    def asked(self) -> int:
        """How many were answered, or failed."""
        return len(self.seconds) + len(self.told) + len(self.others)

    @property
    def admitted(self) -> float:
        """The share of good answers."""
        return len(self.seconds) / max(1, self.asked)

    def latency(self, share: float) -> float:
        """A percentile of the good ones, in seconds."""
        return percentile(sorted(self.seconds), share)


@contextmanager
def running_beside(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run something in a thread until the event is set, in the end.

    Whatever ends it early is raised then.
    """
    over = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, over)
        try:
            yield
        finally:
            over.set()
            running.result()


@contextmanager
def asking(ask: Callable[[], httpx.Response], pause: float) -> Iterator[Answers]:
    """Ask whenever so many seconds are over, answered or not, until the end."""
    answers = Answers()

    def one(due: float) -> None:
        try:
            answers.note(ask(), time.perf_counter() - due)
        except Exception as error:
            answers.others.append(repr(error))

    def run(over: threading.Event) -> None:
        due = time.perf_counter() + pause
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            while not over.wait(max(0.0, due - time.perf_counter())):
                threads.submit(one, due)
                due += pause

    with running_beside(run):
        yield answers


def registering(client: httpx.Client, image: bytes) -> Callable[[], httpx.Response]:
    """Registers another image each time: the same one, with a few bytes behind its end."""
    number = iter(range(10**9))

    def ask() -> httpx.Response:
        content = image + f"{time.time_ns()} {next(number)}".encode()
        headers = {"content-type": "image/jpeg"}
        return client.post(MORE, content=content, headers=headers)

    return ask


def probing(client: httpx.Client) -> Callable[[], httpx.Response]:
    """Asks whether the service is alive."""
    return lambda: client.get("/healthz")
