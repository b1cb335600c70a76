"""How long a query waits while the service has much else to do.

    python -m benchmarks.fairness [--rounds 3] [--seconds 4]

One connection asks one classifier about one 224-pixel JPEG after the other: first alone, then
while others keep the service busy with another classifier: 31 connections of single queries, two
of requests with 100 images, a registration of 2000 images, one of 12-megapixel photos. The
registrations never end: their client hangs up after the measurement, and the table's last column
is how soon nothing of them was waiting any more. `others, images/s` is what went through the
encoder besides the queries, and `pass, ms` the mean duration of one pass.
"""

from __future__ import annotations

import argparse
import http.client
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median

import httpx2 as httpx

from benchmarks.load import Plan, Report, Request, Service, load
from benchmarks.photographs import encoded, photographs, queries, zipped_support
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, handful, register

OTHER = "/v1/classifiers/other"
LARGE = (4000, 3000)
_PATIENCE = 30.0
_HEADER = {"content-type": "application/zip"}


def archive(files: Sequence[bytes], count: int) -> bytes:
    """A zip of so many labelled images, which are the files over and over."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as zipped:
        for i in range(count):
            # A few bytes more at the end make another image of it, and none that looks otherwise.
            zipped.writestr(f"class {i % 10}/{i}.jpg", files[i % len(files)] + str(i).encode())
    return written.getvalue()


def metric(client: httpx.Client, name: str) -> float:
    """A sample of /metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@contextmanager
def registering(
    client: httpx.Client, service: Service, body: bytes, left: dict[str, float]
) -> Iterator[None]:
    """Register all of it, and hang up."""
    waiting = 'handful_waiting_images{lane="registrations"}'
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.request("POST", f"{OTHER}/support", body, _HEADER)
    begin = time.perf_counter()
    while not metric(client, waiting):
        if time.perf_counter() - begin > _PATIENCE:
            raise SystemExit("the registration does not begin")
        time.sleep(0.01)
    yield
    if not metric(client, waiting):
        raise SystemExit("the registration ended too soon: make --seconds less")
    begin = time.perf_counter()
    connection.close()
    while metric(client, waiting):
        time.sleep(0.001)
    left["seconds"] = time.perf_counter() - begin


@contextmanager
def asking(service: Service, request: Request, connections: int, seconds: float) -> Iterator[None]:
    """Ask the other classifier all the time."""
    with ThreadPoolExecutor(1) as threads:
        plan = Plan(service.port, [request], connections, seconds + 1.5)
        asked = threads.submit(load, plan)
        time.sleep(1)
        yield
        report: Report = asked.result()
        if report.errors:
            raise SystemExit(f"not all were answered: {dict(report.outcomes)}")


def form(files: Sequence[bytes]) -> Request:
    """A prediction of many images."""
    mark = "fairness"
    parts = [
        f'--{mark}\r\ncontent-disposition: form-data; name="f"; filename="{i}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for i, content in enumerate(files)
    ]
    body = b"".join((*parts, f"--{mark}--\r\n".encode()))
    return Request.post(f"{OTHER}/predict", body, f"multipart/form-data; boundary={mark}")


def measured(
    client: httpx.Client,
    service: Service,
    plan: Plan,
    busy: AbstractContextManager[None],
    left: Mapping[str, float],
) -> dict[str, float]:
    """One situation once."""
    names = ("handful_encoder_batch_size_sum", "handful_encoder_seconds_sum")
    names += ("handful_encoder_seconds_count",)
    with busy:
        before = [metric(client, name) for name in names]
        begin = time.perf_counter()
        report = load(plan)
        seconds = time.perf_counter() - begin
        images, passing, passes = (
            metric(client, name) - was for name, was in zip(names, before, strict=True)
        )
    if report.errors:
        raise SystemExit(f"not all were answered: {dict(report.outcomes)}")
    own = report.throughput * (plan.seconds + plan.warm_up)
    return {
        "p50, ms": 1000 * report.latency(0.5),
        "p95, ms": 1000 * report.latency(0.95),
        "others, images/s": max(0.0, images - own) / seconds,
        "pass, ms": 1000 * passing / passes,
        "dropped within, ms": 1000 * left.get("seconds", 0.0),
    }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    files = queries(100)
    many = archive(files, 2000)
    photos = archive([encoded(photographs()[0].resize(LARGE))], 400)
    single = Request.post(f"{OTHER}/predict", files[0], "image/jpeg")
    found: dict[str, list[dict[str, float]]] = {}
    with (
        handful(max_request_bytes=2**30) as service,
        httpx.Client(base_url=service.url, timeout=300) as client,
    ):
        register(service)
        client.put(OTHER).raise_for_status()
        client.post(f"{OTHER}/support", content=zipped_support(), headers=_HEADER)
        asked = [Request.post(PREDICT, content, "image/jpeg") for content in files]
        plan = Plan(service.port, asked, 1, arguments.seconds)
        left: dict[str, float] = {}
        situations: dict[str, Callable[[], AbstractContextManager[None]]] = {
            "alone": nullcontext,
            "31 connections of queries": lambda: asking(service, single, 31, plan.seconds),
            "2 connections of 100 images": lambda: asking(service, form(files), 2, plan.seconds),
            "registration of 2000": lambda: registering(client, service, many, left),
            "registration of 12 megapixels": lambda: registering(client, service, photos, left),
        }
        for _ in range(arguments.rounds):
            for name, busy in situations.items():
                left.clear()
                found.setdefault(name, []).append(measured(client, service, plan, busy(), left))
    alone = [one["p50, ms"] for one in found["alone"]]
    rows: list[Row] = [
        {
            "besides": name,
            **{what: median(one[what] for one in rounds) for what in rounds[0]},
            "p50 / alone": median(
                one["p50, ms"] / base for one, base in zip(rounds, alone, strict=True)
            ),
        }
        for name, rounds in found.items()
    ]
    publish(
        "fairness",
        f"Latency of a query, one at a time; medians of {arguments.rounds} rounds",
        rows,
        about={"seconds": arguments.seconds},
    )


if __name__ == "__main__":
    main()
