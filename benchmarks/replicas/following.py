"""How long a query takes where others may have changed the classifier, and where they have."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import Service
from benchmarks.photographs import queries
from benchmarks.published import Row
from benchmarks.replicas.agreement import percentile
from benchmarks.replicas.database import fresh_database
from benchmarks.replicas.throughput import replicas
from benchmarks.servers import CLASSIFIER, PREDICT, register
from tests.tiny_vit import write_tiny_vit

# Seconds in which early following is done.
_PAUSE = 0.05
_WARM_UP = 30


class Asking:
    """A connection to a service."""

    def __init__(self, service: Service) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)

    def post(self, path: str, image: bytes) -> float:
        """Seconds that it takes."""
        begun = time.perf_counter()
        self._connection.request("POST", path, image, {"content-type": "image/jpeg"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{path}: {answer.status}")
        return time.perf_counter() - begun


def following(rounds: int) -> list[Row]:
    """Queries of a classifier of 160 images, by an encoder that costs nothing."""
    files, rows = queries(256), list[Row]()
    with tempfile.TemporaryDirectory(prefix="handful-replicas-") as place, ExitStack() as stack:
        folder = Path(place)
        (folder / "vit").mkdir()
        backbone = f"local-dir:{write_tiny_vit(folder / 'vit')}"
        took: dict[str, list[float]] = {}

        def services(name: str, number: int, postgresql: bool, *words: str) -> list[Service]:
            url = stack.enter_context(fresh_database()) if postgresql else None
            made = replicas(number, 0, url, folder / name.replace(" ", "-"), backbone, *words)
            started = stack.enter_context(made)
            register(started[0])
            return started

        [alone] = services("sqlite", 1, False)
        [before] = services("before", 1, True, "uncombined", "quiet")
        loud = services("loud", 2, True)
        quiet = services("quiet", 2, True, "quiet")
        ways: dict[str, Callable[[], object]] = {}
        asking: dict[str, Asking] = {}

        def way(
            name: str, asked: Service, changed: Service | None = None, pause: float = 0
        ) -> None:
            asking[name] = Asking(asked)
            change = None if changed is None else Asking(changed)
            turn = iter(range(10**9))

            def prepare() -> None:
                if change is not None:
                    image = files[next(turn) % len(files)]
                    label = f"class%20{next(turn) % 10}"
                    change.post(f"{CLASSIFIER}/classes/{label}/images", image)
                    time.sleep(pause)

            ways[name] = prepare

        way("SQLite, one process: no check", alone)
        way("a transaction for each check", before)
        way("combined checks", loud[1])
        way("at once after a change elsewhere", quiet[1], quiet[0])
        way("at once after it, with notifications", loud[1], loud[0])
        way("50 ms after it", quiet[1], quiet[0], _PAUSE)
        way("50 ms after it, with notifications", loud[1], loud[0], _PAUSE)
        for turn in range(_WARM_UP + rounds):
            for name, prepare in ways.items():
                prepare()
                seconds = asking[name].post(PREDICT, files[turn % len(files)])
                if turn >= _WARM_UP:
                    took.setdefault(name, []).append(seconds)
    for name, values in took.items():
        rows.append(
            {
                "query": name,
                "p50 ms": 1e3 * percentile(values, 0.5),
                "p90 ms": 1e3 * percentile(values, 0.9),
                "p99 ms": 1e3 * percentile(values, 0.99),
                "queries": len(values),
            }
        )
    return rows
