"""What the load generator itself costs: it runs on the cores of the server that it measures.

    python -m benchmarks.load_cost [--seconds 2]

Closed loops with the requests of the other benchmarks against an application that does nothing,
under uvicorn: the most that the generator can ask, and the processor time that it and this least of
servers take for a request.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.load import Plan, Request, load, running
from benchmarks.load.service import PORT
from benchmarks.photographs import queries
from benchmarks.published import Row, publish

CONCURRENCIES = (1, 8, 32, 64)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    arguments = parser.parse_args()
    requests = [Request.post("/", file, "image/jpeg") for file in queries()]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.load.echo:app", "--port", PORT]
    rows: list[Row] = []
    with running([*command, "--no-access-log"], "/") as service:
        for connections in CONCURRENCIES:
            before = service.processor()
            report = load(Plan(service.port, requests, connections, arguments.seconds, 0.0))
            took = service.processor() - before
            rows.append(
                {
                    "connections": connections,
                    "requests/s": report.throughput,
                    "p50 ms": 1000 * report.latency(0.5),
                    "p99 ms": 1000 * report.latency(0.99),
                    "generator us": 1e6 * report.processor,
                    "server us": 1e6 * took / sum(report.outcomes.values()),
                }
            )
    publish("load_cost", "The load generator against a server that does nothing", rows)


if __name__ == "__main__":
    main()
