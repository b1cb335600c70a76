"""Throughput of several replicas with an encoder of fixed cost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.load import Plan, Report, Request, Service, load, running
from benchmarks.load.service import PORT
from benchmarks.photographs import queries
from benchmarks.published import Row
from benchmarks.replicas.database import Processors, fresh_database, statistics
from benchmarks.servers import PREDICT, register
from tests.tiny_vit import write_tiny_vit

# Connections to each replica: always some wait, so that its encoder never rests.
_CONNECTIONS = 16
_WARM_UP = 1.0
# Shares of what there is from which on it counts as full.
_FULL = 0.9


@contextmanager
def replicas(
    number: int, seconds: float, url: str | None, folder: Path, backbone: str, *words: str
) -> Iterator[list[Service]]:
    """So many services with the stand-in, on one database; or one on SQLite."""
    command = [sys.executable, "-m", "benchmarks.replicas.stand_in", str(seconds), PORT, *words]
    environment = {
        "HANDFUL_DATA_DIR": str(folder),
        "HANDFUL_BACKBONE": backbone,
        "HANDFUL_PRECISION": "float32",
        "OMP_NUM_THREADS": "1",
    }
    if url is not None:
        environment["HANDFUL_DATABASE_URL"] = url
    with ExitStack() as stack:
        yield [stack.enter_context(running(command, "/readyz", environment)) for _ in range(number)]


def asked(services: Sequence[Service], seconds: float) -> list[Report]:
    """Ask all of them at the same time, each by a generator of its own."""
    requests = [Request.post(PREDICT, file, "image/jpeg") for file in queries()]
    plans = [Plan(one.port, requests, _CONNECTIONS, seconds, _WARM_UP) for one in services]
    with ThreadPoolExecutor(len(plans)) as threads:
        return list(threads.map(load, plans))


def measured(cost: float, numbers: Sequence[int], seconds: float) -> list[Row]:
    """A row for each number of replicas.

    Args:
        cost: Seconds that an image takes in the encoder.
        numbers: Of replicas; the first is what the others are compared with.
        seconds: Of each measurement.
    """
    rows: list[Row] = []
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="handful-replicas-") as place:
        folder = Path(place)
        (folder / "vit").mkdir()
        backbone = f"local-dir:{write_tiny_vit(folder / 'vit')}"
        with (
            fresh_database() as url,
            replicas(max(numbers), cost, url, folder / "data", backbone) as started,
        ):
            register(started[0])
            asked(started, 0.5)
            for number in numbers:
                services = started[:number]  # the others have nothing to do
                processors = Processors(url, [one.process.pid for one in services])
                before, begun = statistics(url), perf_counter()
                reports = asked(services, seconds)
                took = perf_counter() - begun
                used, after = processors.used(), statistics(url)
                rows.append(_row(cost, rows, reports, took, used, cores, before, after))
    return rows


def _row(
    cost: float,
    rows: Sequence[Row],
    reports: Sequence[Report],
    took: float,
    used: Mapping[str, float],
    cores: int,
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> Row:
    """What one measurement says, beside the first one."""
    number = len(reports)
    if errors := sum(report.errors for report in reports):
        raise SystemExit(f"{errors} of the requests were not answered")
    rate = sum(report.throughput for report in reports)
    each = float(rows[0]["images/s"]) / float(rows[0]["replicas"]) if rows else rate / number
    latencies = sorted(one for report in reports for one in report.latencies)
    busy = used["all"] / took / cores
    return {
        "ms an image": 1000 * cost,
        "replicas": number,
        "images/s": rate,
        "of linear": rate / (each * number),
        "of the encoders": rate * cost / number,
        "p50 ms": 1000 * latencies[len(latencies) // 2],
        "services, cores": used["services"] / took,
        "PostgreSQL, cores": used["postgresql"] / took,
        "all, of the cores": busy,
        "transactions/s": (after["transactions"] - before["transactions"]) / took,
        "full": _what_is_full(rate * cost / number, busy),
    }


def _what_is_full(encoders: float, cores: float) -> str:
    full = [name for name, share in (("encoders", encoders), ("cores", cores)) if share >= _FULL]
    return " and ".join(full) or "nothing"
