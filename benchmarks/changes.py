"""What a change of one image costs, and what it costs the queries beside it.

    python -m benchmarks.changes [--before FOLDER] [--only single|beside|chunks|follow] [...]

FOLDER is a checkout of another version, which is measured in turns with this one.

single  from an image's embeddings until the next query sees it, and the same for deleting it: in a
        process that has the service's parts, without HTTP and the encoder
beside  latency and rate of queries over HTTP to a classifier, alone, beside a stream of single
        images to another classifier (what the shared processor leaves), and to the same one
chunks  a classifier registered in requests of 500 images: the last against the first, and the
        memory of the process beside the size of the embeddings
follow  until another registry on the same database answers from a change
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import numpy as np

from benchmarks.load import Plan, Request, load
from benchmarks.photographs import encoded, patch, photographs, queries
from benchmarks.published import publish

HERE = Path(__file__).parent
SIZES = ((100, 10), (1000, 10), (1000, 100), (10_000, 10), (10_000, 100))
NAME, OTHER = "benchmark", "other"


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path)
    parser.add_argument("--only", choices=("single", "beside", "chunks", "follow"))
    parser.add_argument("--images", type=int, help="of the classifier; all sizes if left out")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15)
    arguments = parser.parse_args()
    versions = {"this": HERE.parent}
    if arguments.before is not None:
        versions = {"before": arguments.before.resolve(), **versions}
    sizes: Sequence[tuple[int, int]] = SIZES
    if arguments.images is not None:
        sizes = [(arguments.images, arguments.classes)]
    if arguments.only in (None, "single"):
        rows = [_single(versions, *size, arguments.rounds) for size in sizes]
        publish("changes_single", "One image, until the next query sees it, ms", rows)
    if arguments.only in (None, "beside"):
        n = arguments.images or 10_000
        rows = _beside(versions, n, arguments.classes, arguments.rounds, arguments.seconds)
        publish("changes_beside", f"Queries beside single images, {n} images", rows)
    if arguments.only in (None, "chunks"):
        n = arguments.images or 100_000
        rows = [_chunks(name, code, n, arguments.classes) for name, code in versions.items()]
        publish("changes_chunks", f"{n} images in requests of 500", rows)
    if arguments.only in (None, "follow"):
        n = arguments.images or 100_000
        rows = [_follow(name, code, n, arguments.classes) for name, code in versions.items()]
        publish("changes_follow", f"Another process sees an image more, {n} images, ms", rows)


def _worker(
    code: Path, what: str, folder: str, n: int, classes: int, *more: int
) -> dict[str, list[float]]:
    arguments = [what, folder, n, classes, *more]
    done = subprocess.run(
        [sys.executable, HERE / "change_worker.py", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    told: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return told


def _single(
    versions: dict[str, Path], n: int, classes: int, rounds: int
) -> dict[str, float | int | str]:
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, code in versions.items():
            with tempfile.TemporaryDirectory() as folder:
                told = _worker(code, "single", folder, n, classes)
            for what, values in told.items():
                took.setdefault(f"{what}, {name}", []).extend(values)
    row: dict[str, float | int | str] = {"images": n, "classes": classes}
    for what, values in sorted(took.items()):
        row[what] = statistics.median(values)
        row[f"{what}, p95"] = float(np.quantile(values, 0.95))
    return row


def _chunks(name: str, code: Path, n: int, classes: int) -> dict[str, float | int | str]:
    with tempfile.TemporaryDirectory() as folder:
        told = _worker(code, "chunks", folder, n, classes, 500)
    took, memory = told["took"], told["memory"]
    few = max(len(took) // 20, 1)
    return {
        "version": name,
        "first, ms": took[0],
        "first twentieth, ms": statistics.median(took[:few]),
        "last twentieth, ms": statistics.median(took[-few:]),
        "most, ms": max(took),
        "memory when tuned, embeddings": told["rested"][0],
        "most beside a tuning, embeddings": max(memory[20:], default=memory[-1]),
    }


def _follow(name: str, code: Path, n: int, classes: int) -> dict[str, float | int | str]:
    with tempfile.TemporaryDirectory() as folder:
        seen = _worker(code, "follow", folder, n, classes, 10 if name == "before" else 40)["seen"]
    return {"version": name, "median": statistics.median(seen), "most": max(seen)}


def _beside(
    versions: dict[str, Path], n: int, classes: int, rounds: int, seconds: float
) -> list[dict[str, float | int | str]]:
    rows: list[dict[str, float | int | str]] = []
    asked = [Request.post(f"/v1/classifiers/{NAME}/predict", i, "image/jpeg") for i in queries()]
    for name, code in versions.items():
        with tempfile.TemporaryDirectory() as folder:
            _worker(code, "fill", folder, n, classes)
            with _serving(code, folder) as url:
                port = httpx.URL(url).port
                assert port is not None
                httpx.put(f"{url}/v1/classifiers/{OTHER}").raise_for_status()
                plan = Plan(port, asked, connections=1, seconds=seconds)
                for _ in range(rounds):
                    rates: dict[str, float] = {}
                    alone = 0.0
                    for beside in (None, OTHER, NAME):
                        with _adding(url, beside) as added:
                            report = load(plan)
                        p50, p99 = (float(np.quantile(report.latencies, q)) for q in (0.5, 0.99))
                        alone = alone or p99
                        rates[str(beside)] = len(report.latencies) / seconds
                        rows.append(
                            {
                                "version": name,
                                "beside images to": beside or "nothing",
                                "p50, ms": 1e3 * p50,
                                "p99, ms": 1e3 * p99,
                                "p99 / alone": p99 / alone,
                                "queries/s": rates[str(beside)],
                                "of what the other leaves": rates[str(beside)]
                                / rates.get(OTHER, float("nan")),
                                "images added/s": added[0] / seconds,
                                "errors": report.errors,
                            }
                        )
    return rows


@contextmanager
def _adding(url: str, classifier: str | None) -> Iterator[list[int]]:
    """Meanwhile single images, each another one, go to a classifier, one after the other."""
    count, stop = [0], threading.Event()

    def add() -> None:
        rng = np.random.default_rng(time.time_ns())
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                image = encoded(patch(rng, photographs()[count[0] % len(photographs())]))
                label = f"class {count[0] % 10}"
                client.post(
                    f"/v1/classifiers/{classifier}/classes/{label}/images",
                    content=image,
                    headers={"content-type": "image/jpeg"},
                ).raise_for_status()
                count[0] += 1

    adding = threading.Thread(target=add)
    if classifier is not None:
        adding.start()
        time.sleep(1)  # what the first changes set off belongs to it
        count[0] = 0
    try:
        yield count
    finally:
        stop.set()
        if classifier is not None:
            adding.join()


@contextmanager
def _serving(code: Path, folder: str) -> Iterator[str]:
    log = Path(folder) / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", folder],
            env=os.environ | {"PYTHONPATH": str(code), "HANDFUL_STORE_IMAGES": "false"},
            cwd=code,
            stdout=output,
            stderr=output,
        )
    try:
        while not (found := re.search(r"running on (http://\S+)", log.read_text())):
            if process.poll() is not None:
                raise RuntimeError(log.read_text()[-2000:])
            time.sleep(0.2)
        while httpx.get(f"{found[1]}/readyz").status_code != httpx.codes.OK:
            time.sleep(0.2)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


if __name__ == "__main__":
    main()
