"""A client beside a thousand others that say nothing, or a byte a second.

    python -m benchmarks.slow_clients [--silent 1000] [--slow 200] [--seconds 15]

Prints the latencies of one client that asks about an image again and again, alone and beside the
others, in turns. The others are opened anew as soon as the service closes them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event

from benchmarks.load import Plan, Report, Request, load
from benchmarks.photographs import queries
from benchmarks.servers import PREDICT, handful, register

_HEAD = (
    f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n"
    "content-length: 100000\r\n\r\n"
).encode()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--silent", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with handful() as service:
        register(service)
        asked = [Request.post(PREDICT, image, "image/jpeg") for image in queries()]
        plan = Plan(service.port, asked, connections=1, seconds=arguments.seconds)
        alone: list[float] = []
        beside: list[float] = []
        errors = 0
        for _ in range(arguments.rounds):
            errors += _measured(plan, alone)
            with _others(service.port, arguments.silent, arguments.slow) as opened:
                errors += _measured(plan, beside)
            print(f"connections opened by the others: {opened.value}", flush=True)
        _tell("alone", alone)
        _tell(f"beside {arguments.silent} silent and {arguments.slow} slow ones", beside)
        print(f"p99 beside / alone: {_percentile(beside, 0.99) / _percentile(alone, 0.99):.2f}")
        print(f"requests without a good answer: {errors}")


def _measured(plan: Plan, latencies: list[float]) -> int:
    report: Report = load(plan)
    latencies += report.latencies
    return report.errors


def _percentile(latencies: list[float], share: float) -> float:
    return sorted(latencies)[round(share * (len(latencies) - 1))]


def _tell(what: str, latencies: list[float]) -> None:
    p50, p99 = (_percentile(latencies, share) * 1000 for share in (0.5, 0.99))
    print(f"{what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms ({len(latencies)} answers)")


@contextmanager
def _others(
    port: int, silent: int, slow: int
) -> Iterator[multiprocessing.sharedctypes.Synchronized]:  # type: ignore[type-arg, name-defined]
    context = multiprocessing.get_context("spawn")
    over, there, opened = context.Event(), context.Event(), context.Value("q", 0)
    process = context.Process(target=_crowd, args=(port, silent, slow, over, there, opened))
    process.start()
    there.wait()
    try:
        yield opened
    finally:
        over.set()
        process.join()


def _crowd(port: int, silent: int, slow: int, over: Event, there: Event, opened: object) -> None:
    """Keep so many connections open."""
    selector = selectors.DefaultSelector()

    def open_one(head: bytes) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(head)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, head)
        opened.value += 1  # type: ignore[attr-defined]

    for head, count in ((b"", silent), (_HEAD, slow)):
        for _ in range(count):
            open_one(head)
    there.set()
    due = time.monotonic()
    while not over.is_set():
        for key, _ in selector.select(timeout=0.05):
            # Whatever it says, it is about to close.
            selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
            open_one(key.data)
        if time.monotonic() >= due:
            due += 1
            for key in list(selector.get_map().values()):
                if key.data:
                    with suppress(OSError):
                        key.fileobj.send(b"x")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
