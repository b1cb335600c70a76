"""What metrics, traces and an access log cost a plain query.

    python -m benchmarks.telemetry [--queries 2000] [--rounds 5] [--before DIR]

Services of the default backbone beside each other: one as it is by default, one that traces every
query and sends it to a collector (which reads and drops what comes), one that traces one query in a
hundred, one that writes an access log in JSON; and with `--before` the code of another checkout,
by default settings too. One connection asks all of them in turns about one image. Told are
medians of the time of an answer and of processor time that the service took a query (all its
threads), and both against the default: medians over rounds of the ratio of that round.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx
import psutil

from benchmarks.published import machine
from tests.service.client import Classifier
from tests.service.pictures import picture

ROOT = Path(__file__).parents[1]
URL = "/v1/classifiers/asked/predict"
IMAGE = picture(1, "JPEG")
HEADERS = {"content-type": "image/jpeg"}


@dataclass
class Variant:
    """One service, and what was measured of it: seconds of an answer, of processors a query."""

    name: str
    process: psutil.Process
    port: int
    seconds: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)


class Collector(BaseHTTPRequestHandler):
    """Takes traces, and drops them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take some."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def service(code: Path, settings: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    """A service of a checkout's code."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("HANDFUL", "OTEL"))}
        environment |= {"PYTHONPATH": str(code), "HANDFUL_DATA_DIR": folder, **settings}
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=output, stderr=output
            )
        try:
            while "running on http" not in (text := log.read_text()):
                time.sleep(0.1)
            address = text.split("running on http://127.0.0.1:")[1]
            port = int("".join(c for c in address[:6] if c.isdigit()))
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                while client.get("/readyz").status_code != 200:
                    time.sleep(0.1)
                made = Classifier(client, "asked")
                made.put().raise_for_status()
                for label, seeds in (("ant", range(2, 6)), ("bee", range(6, 10))):
                    made.post(label, *map(picture, seeds)).raise_for_status()
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            process.wait()


def ask(variant: Variant, queries: int) -> None:
    """Ask so many queries, one after the other, and keep what they took."""
    connection = http.client.HTTPConnection("127.0.0.1", variant.port)
    before = _computed(variant.process)
    taken = []
    for _ in range(queries):
        begun = time.perf_counter()
        connection.request("POST", URL, IMAGE, HEADERS)
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - begun)
        if answer.status != 200:
            raise RuntimeError(f"{variant.name} answers {answer.status}")
    connection.close()
    variant.seconds.append(statistics.median(taken))
    variant.computed.append((_computed(variant.process) - before) / queries)


def _computed(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2000, help="of each service, in all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, help="a checkout of the code before")
    given = parser.parse_args()
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    sampled = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
    logged = {"HANDFUL_ACCESS_LOG": "true", "HANDFUL_LOG_FORMAT": "json"}
    asked: list[tuple[str, Path, dict[str, str]]] = [
        ("by default", ROOT, {}),
        ("every query traced", ROOT, traced),
        ("one query in a hundred traced", ROOT, traced | sampled),
        ("access log in JSON", ROOT, logged),
    ]
    if given.before is not None:
        asked.append(("before", given.before.resolve(), {}))
    with ExitStack() as stack:
        variants = [
            Variant(name, *stack.enter_context(service(code, settings)))
            for name, code, settings in asked
        ]
        for variant in variants:
            ask(variant, 100)
            variant.seconds.clear()
            variant.computed.clear()
        for i in range(given.rounds):
            # In another order each time.
            for variant in variants[i % len(variants) :] + variants[: i % len(variants)]:
                ask(variant, given.queries // given.rounds)
    print(machine())
    first = variants[0]
    print("| | answer, p50 | against default | processors a query | against default |")
    print("|---|---|---|---|---|")
    for one in variants:
        answer, computed = statistics.median(one.seconds), statistics.median(one.computed)
        slower = [a / b for a, b in zip(one.seconds, first.seconds, strict=True)]
        more = [a / b for a, b in zip(one.computed, first.computed, strict=True)]
        print(
            f"| {one.name} | {1000 * answer:.2f} ms"
            f" | {statistics.median(slower):.3f} ({min(slower):.3f} to {max(slower):.3f})"
            f" | {1000 * computed:.2f} ms"
            f" | {statistics.median(more):.3f} ({min(more):.3f} to {max(more):.3f}) |"
        )


if __name__ == "__main__":
    main()
