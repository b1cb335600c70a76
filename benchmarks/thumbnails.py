"""Thumbnails beside queries: what each waits for the other, and what a thumbnail costs.

    python -m benchmarks.thumbnails

A service with `--images` photographs of four sizes up to 12 megapixels (mosaics of real ones) is
asked for queries, one after the other: alone, and while thumbnails are asked for by six connections
of another process, as a browser does: for the first time (cold), when they are kept and somebody
scrolls, and when they are kept as quickly as they come (warm). Prints median and 95th percentile of
the queries meanwhile, and thumbnails a second; then the processor time of the service for a
thumbnail, warm and as 304, with nothing beside it.

    python -m benchmarks.thumbnails --rows 10000

measures what else a page with many images asks for instead, on a classifier of so many images in
one class, registered by their embeddings: pages of 1000 of it, the classifier if it has changed,
the map for the first time and again.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import httpx2 as httpx
import numpy as np

from benchmarks.load import Service
from benchmarks.photographs import encoded, mosaic, queries
from benchmarks.servers import CLASSIFIER, handful, register

_SIZES = ((4000, 3000), (1600, 1200), (800, 600), (640, 480))
_CONNECTIONS = 6
_PICTURES = "/v1/classifiers/pictures"
# Seconds of queries alone.
_ALONE = 15.0
# What is asked beside queries, and the seconds between two thumbnails on a connection.
_ROUNDS = (
    ("alone", 0.0),
    ("cold", 0.0),
    ("alone", 0.0),
    ("warm, in a scroll", 0.06),
    ("alone", 0.0),
    ("warm", 0.0),
)


def get(
    port: int, paths: Sequence[str], headers: dict[str, str] | None = None, pause: float = 0.0
) -> list[http.client.HTTPResponse]:
    """Ask for all of them on one connection, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    answers = []
    for path in paths:
        time.sleep(pause)
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 304):
            raise RuntimeError(f"{answer.status} for {path}")
        answers.append(answer)
    connection.close()
    return answers


def ask_for_all(port: int, paths: Sequence[str], pause: float, seconds: Connection) -> None:
    """As a browser does, in a process of its own; tells how long it took."""
    begun = time.perf_counter()
    parts = [paths[i::_CONNECTIONS] for i in range(_CONNECTIONS)]
    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        list(threads.map(lambda part: get(port, part, pause=pause), parts))
    seconds.send(time.perf_counter() - begun)


def asked(client: httpx.Client, images: Sequence[bytes], go_on: Callable[[], bool]) -> list[float]:
    """Milliseconds of queries, one after the other for as long as they are to go on."""
    took: list[float] = []
    while go_on():
        begun = time.perf_counter()
        client.post(
            f"{CLASSIFIER}/predict",
            content=images[len(took) % len(images)],
            headers={"content-type": "image/jpeg"},
        ).raise_for_status()
        took.append(1000 * (time.perf_counter() - begun))
    return took


def row(name: str, took: Sequence[float], rest: str = "") -> None:
    """Print a row of the table."""
    median, late = np.percentile(took, [50, 95])
    print(f"| {name} | {len(took)} | {median:.1f} | {late:.1f} | {rest} |", flush=True)


def registered(client: httpx.Client, images: int) -> Iterator[str]:
    """Register that many photographs; gives the paths of their thumbnails."""
    client.put(_PICTURES, json={"names_carry_meaning": False}).raise_for_status()
    rng = np.random.default_rng(0)
    for i in range(images):
        answer = client.post(
            f"{_PICTURES}/classes/class {i % 10}/images",
            content=encoded(mosaic(rng, *_SIZES[i % len(_SIZES)])),
            headers={"content-type": "image/jpeg"},
        ).raise_for_status()
        yield f"{_PICTURES}/images/{answer.json()['images'][0]['id']}/thumbnail"


def beside_queries(service: Service, images: int) -> None:
    """Measure queries and thumbnails beside each other."""
    register(service)
    photographs = queries()
    with httpx.Client(base_url=service.url, timeout=300) as client:
        paths = list(registered(client, images))
        for _ in range(100):
            client.post(f"{CLASSIFIER}/predict", files={"files": photographs[0]})
        print(
            "| queries | number | median ms | p95 ms | thumbnails a second |\n|---|---|---|---|---|"
        )
        for name, pause in _ROUNDS:
            if name == "alone":
                end = time.monotonic() + _ALONE
                row(name, asked(client, photographs, lambda: time.monotonic() < end))  # noqa: B023
                continue
            told, tells = multiprocessing.Pipe(duplex=False)
            # Of warm ones there are enough for some seconds.
            many = paths * (5 if name == "warm" else 1)
            other = multiprocessing.get_context("spawn").Process(
                target=ask_for_all, args=(service.port, many, pause, tells)
            )
            other.start()
            took = asked(client, photographs, lambda: not told.poll())  # noqa: B023
            row(name, took, f"{len(many) / told.recv():.0f}")
            other.join()
    [first] = get(service.port, paths[:1])
    same = {"if-none-match": str(first.headers["etag"])}
    for name, many, headers in (("warm", paths * 3, None), ("304", paths[:1] * 3000, same)):
        before, begun = service.processor(), time.perf_counter()
        get(service.port, many, headers)
        spent, took = service.processor() - before, time.perf_counter() - begun
        print(f"{name}: {1000 * spent / len(many):.2f} ms of a processor, ", end="")
        print(f"{1000 * took / len(many):.2f} ms until it was there")


def many_rows(service: Service, rows: int) -> None:
    """Measure what is asked of a class of so many images."""
    with httpx.Client(base_url=service.url, timeout=300) as client:
        client.put(CLASSIFIER, json={"names_carry_meaning": False}).raise_for_status()
        sample = client.post("/v1/embeddings", files={"files": queries(1)[0]}).raise_for_status()
        [first], fingerprint = sample.json()["embeddings"], sample.json()["fingerprint"]
        width = {kind: len(first[kind]) for kind in ("frozen", "corrected")}
        rng = np.random.default_rng(0)
        begun = time.perf_counter()
        for _ in range(0, rows, 1000):
            made = [
                {
                    "embedding": {k: unit(rng, n) for k, n in width.items()},
                    "fingerprint": fingerprint,
                }
                for _ in range(1000)
            ]
            client.post(
                f"{CLASSIFIER}/classes/many/images", json={"images": made}
            ).raise_for_status()
        print(f"registered within {time.perf_counter() - begun:.0f} s", flush=True)
        time.sleep(5)  # tuning is begun, and goes on beside what is asked
        tag = client.get(CLASSIFIER).headers["etag"]
        for name, path, headers in (
            ("page of 1000", f"{CLASSIFIER}/classes/many?limit=1000", {}),
            ("page of 100", f"{CLASSIFIER}/classes/many?limit=100", {}),
            ("classifier", CLASSIFIER, {}),
            ("classifier, 304", CLASSIFIER, {"if-none-match": tag}),
            ("map", f"{CLASSIFIER}/map", {}),
        ):
            took, cursor = [], None
            for _ in range(20):
                asked_for = path if cursor is None else f"{path}&cursor={cursor}"
                begun = time.perf_counter()
                answer = client.get(asked_for, headers=headers)
                took.append(1000 * (time.perf_counter() - begun))
                if name.startswith("page"):
                    cursor = answer.json()["next_cursor"]
            print(
                f"{name}: first {took[0]:.1f} ms, median {np.median(took):.1f} ms, status "
                f"{answer.status_code}, {len(answer.content)} bytes",
                flush=True,
            )


def unit(rng: np.random.Generator, width: int) -> str:
    """A random unit vector as JSON takes it in base64."""
    vector = rng.standard_normal(width)
    return base64.b64encode((vector / np.linalg.norm(vector)).astype("<f4").tobytes()).decode()


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=0)
    arguments = parser.parse_args()
    with handful() as service:
        if arguments.rows:
            many_rows(service, arguments.rows)
        else:
            beside_queries(service, arguments.images)


if __name__ == "__main__":
    main()
