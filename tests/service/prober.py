"""How a service is while it is attacked, measured in a process of its own.

    python -m tests.service.prober URL PID < picture

Asks ``/healthz`` and for predictions of the picture by the classifier ``normal``, one after the
other, each by a connection of its own, until told to end (the end of standard input behind the
first line); then prints what it found as JSON.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

_PAUSE = 0.02


@dataclass
class Found:
    """What was measured.

    Attributes:
        health: Seconds of each answer of ``/healthz``.
        predict: Seconds of each prediction.
        failed: Statuses of predictions that failed.
        grown: Bytes that the resident memory was above its beginning at most.
    """

    health: list[float]
    predict: list[float]
    failed: list[int]
    grown: int


@contextmanager
def probing(url: str, pid: int, picture: bytes) -> Iterator[Found]:
    """Measure the service at this URL, which is that process; the result is there afterwards.

    Nothing of Handful is imported here, or each measurement would begin seconds later.
    """
    found = Found([], [], [], 0)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.service.prober", url, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as prober:
        assert prober.stdin is not None
        assert prober.stdout is not None
        prober.stdin.write(base64.b64encode(picture) + b"\n")
        prober.stdin.flush()
        assert prober.stdout.readline() == b"begun\n"
        try:
            yield found
        finally:
            prober.stdin.close()
            vars(found).update(json.loads(prober.stdout.read()))


def main() -> None:
    """Measure until told to end."""
    url, pid = urlsplit(sys.argv[1]), int(sys.argv[2])
    body = base64.b64decode(sys.stdin.readline())
    process = psutil.Process(pid)
    before = process.memory_info().rss
    found = Found([], [], [], 0)
    over = threading.Event()

    def ask(method: str, path: str, content: bytes, times: list[float]) -> None:
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
        while not over.is_set():
            began = time.perf_counter()
            connection.request(method, path, content, {"content-type": "image/png"})
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - began)
            if answer.status != 200:
                found.failed.append(answer.status)
            over.wait(_PAUSE)

    def weigh() -> None:
        while not over.wait(_PAUSE / 2):
            found.grown = max(found.grown, process.memory_info().rss - before)

    asks: list[Callable[[], None]] = [
        lambda: ask("GET", "/healthz", b"", found.health),
        lambda: ask("POST", "/v1/classifiers/normal/predict", body, found.predict),
        weigh,
    ]
    threads = [threading.Thread(target=one) for one in asks]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(vars(found)))


if __name__ == "__main__":
    main()
