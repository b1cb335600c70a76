"""What others ask while a tenant asks for too much: probes, registrations, a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2 as httpx

from benchmarks.load.plan import percentile
from benchmarks.servers import CLASSIFIER

OK = range(200, 300)


@dataclass
class Answers:
    """Answers to one kind of request.

    Attributes:
        seconds: That each good one took.
        told: Seconds that those who were refused were told to wait.
        others: Statuses that are neither.
    """

    seconds: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    def note(self, answer: httpx.Response, seconds: float) -> None:
        """Count one."""
        if answer.status_code in OK:
            self.seconds.append(seconds)
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.told.append(int(answer.headers["retry-after"]))
        else:
            self.others.append(answer.status_code)

    @property
    def admitted(self) -> float:
        """The share of good answers."""
        return len(self.seconds) / max(1, len(self.seconds) + len(self.told) + len(self.others))

    def latency(self, share: float) -> float:
        """A percentile of the good ones, in seconds."""
        return percentile(sorted(self.seconds), share)


@contextmanager
def asking(ask: Callable[[], httpx.Response], pause: float) -> Iterator[Answers]:
    """Ask again and again, with a pause between, until the end."""
    answers, over = Answers(), threading.Event()

    def run() -> None:
        while not over.wait(pause):
            begun = time.perf_counter()
            answers.note(ask(), time.perf_counter() - begun)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def registering(client: httpx.Client, image: bytes) -> Callable[[], httpx.Response]:
    """Registers another image each time: the same one, with a few bytes behind its end."""
    number = iter(range(10**9))

    def ask() -> httpx.Response:
        content = image + f"{time.time_ns()} {next(number)}".encode()
        headers = {"content-type": "image/jpeg"}
        return client.post(f"{CLASSIFIER}/classes/more/images", content=content, headers=headers)

    return ask


def probing(client: httpx.Client) -> Callable[[], httpx.Response]:
    """Asks whether the service is alive."""
    return lambda: client.get("/healthz")
