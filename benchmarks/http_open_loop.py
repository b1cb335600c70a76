"""How long an answer takes at a given rate of arrivals, whatever became of those before it.

    python -m benchmarks.http_open_loop [--seconds 6]

First the capacity of Handful and of the naive server (benchmarks/baseline, in threads, one pass):
a closed loop of 32 connections. Then requests with different 224-pixel JPEGs arrive at random
(a Poisson process) at shares of that capacity. Latency counts from the moment a request is due, so
whoever has to wait for a connection or behind a stall is counted whole. Above its capacity a server
has to refuse some, or everybody waits longer and longer. Windows of few arrivals give no 99th
percentile worth much: the table says how many there were.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from matplotlib.axes import Axes

from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, baseline, handful, register

SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.2)
MANY = 32
_CONNECTIONS = 512
_WARM_UP = 1.5


def measured(
    name: str, service: Service, requests: Sequence[Request], seconds: float
) -> tuple[float, list[Row]]:
    """Capacity of a server in answers a second, and a row for each rate."""
    capacity = load(Plan(service.port, requests, MANY, seconds, _WARM_UP)).throughput
    rows: list[Row] = []
    for share in SHARES:
        rate = share * capacity
        report = load(Plan(service.port, requests, _CONNECTIONS, seconds, _WARM_UP, rate))
        arrived = sum(report.outcomes.values())
        rows.append(
            {
                "server": name,
                "share of capacity": share,
                "arrivals/s": rate,
                "arrived": arrived,
                "answered": len(report.latencies) / max(arrived, 1),
                "p50 ms": 1000 * report.latency(0.5),
                "p90 ms": 1000 * report.latency(0.9),
                "p99 ms": 1000 * report.latency(0.99),
                "generator late ms": 1000 * report.late,
                "others": ", ".join(
                    f"{count} x {outcome}"
                    for outcome, count in report.outcomes.items()
                    if outcome != "200"
                ),
            }
        )
    return capacity, rows


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    arguments = parser.parse_args()
    files = queries()
    with handful() as service:
        register(service)
        bare = [Request.post(PREDICT, file, "image/jpeg") for file in files]
        capacity, ours = measured("Handful", service, bare, arguments.seconds)
    with baseline() as service:
        forms = [Request.form("/predict", [file], "image/jpeg", "file") for file in files]
        naive_capacity, naive = measured("naive", service, forms, arguments.seconds)

    def plot(axes: Axes) -> None:
        for name, rows in (("Handful", ours), ("naive server", naive)):
            rates = [float(row["arrivals/s"]) for row in rows]
            for percentile, line in (("p50 ms", "-"), ("p99 ms", "--")):
                times = [float(row[percentile]) for row in rows]
                axes.plot(rates, times, line, marker="o", label=f"{name}, {percentile[:3]}")
        axes.set_yscale("log")
        axes.set_xlabel("arrivals a second")
        axes.set_ylabel("ms from due to answered")
        axes.legend()

    publish(
        "http_open_loop",
        "224-pixel JPEGs over HTTP, open loop",
        [*ours, *naive],
        plot=plot,
        about={
            "seconds": arguments.seconds,
            "capacity, answers/s": {"Handful": capacity, "naive": naive_capacity},
        },
    )


if __name__ == "__main__":
    main()
