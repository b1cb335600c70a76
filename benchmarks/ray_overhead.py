"""How much of a request's time is Ray Serve's.

    python -m benchmarks.ray_overhead [--rounds 3] [--seconds 4] [--backbone lite]

Closed loops of 1 and 16 connections that send different 224-pixel JPEGs to a classifier of 10
classes of 16 images: plain ``handful serve``, the same with its encoder in a process of its own
(``--processes 2``, a connection a process), and ``handful serve --ray``, whose request passes Ray's
proxy, an ingress replica and an encoder replica. All are running; in each round they are measured
after one another. Shares are of one round; the median, the lowest and the highest are given.
Beside times stand the processor's milliseconds of an answer, of all processes together, which other
work on the machine changes little.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from contextlib import ExitStack, suppress
from statistics import median

import psutil

from benchmarks.load import Plan, Report, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from benchmarks.servers import PREDICT, handful, register

PLAIN, PROCESSES, RAY = "plain", "2 processes", "Ray"
CONNECTIONS = (1, 16)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--backbone", default="lite")
    arguments = parser.parse_args()
    settings = {"backbone": arguments.backbone, "precision": "float32"}
    requests = [Request.post(PREDICT, query, "image/jpeg") for query in queries()]
    reports: defaultdict[tuple[str, int], list[Report]] = defaultdict(list)
    costs: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        services: dict[str, Service] = {
            PLAIN: stack.enter_context(handful(**settings)),
            PROCESSES: stack.enter_context(handful(processes=2, **settings)),
            RAY: stack.enter_context(handful(ray=True, **settings)),
        }
        for service in services.values():
            register(service)
        for _ in range(arguments.rounds):
            for connections in CONNECTIONS:
                for name, service in services.items():
                    plan = Plan(service.port, requests, connections, arguments.seconds, 1.0)
                    before = _processor(service)
                    report = load(plan)
                    asked = sum(report.outcomes.values()) * (1 + plan.warm_up / plan.seconds)
                    costs[name, connections].append((_processor(service) - before) / asked)
                    reports[name, connections].append(report)
    publish(
        "ray_overhead",
        "What Ray Serve takes of a request",
        [
            _row(reports, costs, name, connections)
            for connections in CONNECTIONS
            for name in services
        ],
        about=vars(arguments),
    )


def _processor(service: Service) -> float:
    """Processor seconds of a service until now, all of its processes."""
    first = psutil.Process(service.process.pid)
    seconds = 0.0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _row(
    reports: defaultdict[tuple[str, int], list[Report]],
    costs: defaultdict[tuple[str, int], list[float]],
    name: str,
    connections: int,
) -> Row:
    found = reports[name, connections]
    p50 = [one.latency(0.5) for one in found]
    plain = [one.latency(0.5) for one in reports[PLAIN, connections]]
    share = ratios([a - b for a, b in zip(p50, plain, strict=True)], p50)
    return {
        "service": name,
        "connections": connections,
        "p50 ms": 1000 * median(p50),
        "p99 ms": 1000 * median(one.latency(0.99) for one in found),
        "answers/s": median(one.throughput for one in found),
        "processor ms": 1000 * median(costs[name, connections]),
        "errors": sum(one.errors for one in found),
        "ms more": 1000 * median(a - b for a, b in zip(p50, plain, strict=True)),
        "share": share["ratio"],
        "lowest": share["lowest"],
        "highest": share["highest"],
    }


if __name__ == "__main__":
    main()
