"""How long a query waits while others send pictures of odd shapes and kinds.

    python -m benchmarks.odd_pictures [--seconds 10] [--connections 2]

One connection asks one classifier about one 224-pixel JPEG after the other: alone, while other
connections flood another classifier with ordinary JPEGs of 224 pixels, and while they flood it
with odd pictures instead: one pixel wide or high, of unusual depth, with huge metadata, of many
scans. Each is measured alone before, and ratios are to that.
"""

from __future__ import annotations

import argparse
import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

import numpy as np

from benchmarks.load import Service
from benchmarks.photographs import queries
from benchmarks.servers import PREDICT, handful, register
from tests.odd_pictures import flat_png, kinds, scene

OTHER = "/v1/classifiers/other"
_PATIENCE = 120.0


def odd() -> list[bytes]:
    """Strips of both orientations, and files that pretend to be more than they are."""
    strips = [
        flat_png(1, 20_000),
        flat_png(20_000, 1),
        flat_png(1, 900_000),
        flat_png(900_000, 1),
        flat_png(2, 30_000, colour=6),
        flat_png(30_000, 2, colour=0, depth=16),
    ]
    pretending = ("scans", "tags", "comment", "screen", "runs", "strip a row", "cut", "levels")
    small = kinds(scene((96, 64)))
    return strips + [make() for name, make in small.items() if any(w in name for w in pretending)]


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body, {"content-type": "application/octet-stream"})
    connection.getresponse().read()


def waits(service: Service, files: Sequence[bytes], seconds: float) -> list[float]:
    """Seconds of each query, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=_PATIENCE)
    found: list[float] = []
    end = time.monotonic() + seconds
    for body in cycle(files):
        start = time.monotonic()
        if start > end:
            break
        _ask(connection, PREDICT, body)
        found.append(time.monotonic() - start)
    connection.close()
    return found


@contextmanager
def flooded(service: Service, files: Sequence[bytes], connections: int) -> Iterator[list[int]]:
    """Connections that send these files, one after the other; counts those that were answered."""
    over = threading.Event()
    sent = [0] * connections

    def send(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=_PATIENCE)
        for body in cycle(files[number % len(files) :] + files[: number % len(files)]):
            if over.is_set():
                break
            _ask(connection, f"{OTHER}/predict", body)
            sent[number] += 1
        connection.close()

    threads = [threading.Thread(target=send, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        over.set()
        for thread in threads:
            thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=2)
    arguments = parser.parse_args()
    with handful() as service:
        register(service)
        register(service, OTHER)
        asked = queries()
        waits(service, asked, 2)
        print("| beside | others, images/s | p50, ms | p99, ms | p99, x alone |")
        print("|---|---|---|---|---|")
        for name, files in (("ordinary pictures", queries(16, 1)), ("odd pictures", odd())):
            alone = np.percentile(waits(service, asked, arguments.seconds), (50, 99)) * 1000
            print(f"| nothing | | {alone[0]:.1f} | {alone[1]:.1f} | 1 |")
            with flooded(service, files, arguments.connections) as sent:
                beside = np.percentile(waits(service, asked, arguments.seconds), (50, 99)) * 1000
                rate = sum(sent) / arguments.seconds
            print(
                f"| {name} | {rate:.0f} | {beside[0]:.1f} | {beside[1]:.1f} "
                f"| {beside[1] / alone[1]:.2f} |",
                flush=True,
            )
        print(f"highest resident memory: {service.memory()['peak rss']:.0f} MiB")


if __name__ == "__main__":
    main()
