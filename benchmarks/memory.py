"""How much memory the service takes: after the start, with a classifier, under load, after it.

    python -m benchmarks.memory [--seconds 10]

Resident memory (RSS), its share of what is mapped with others (PSS), and the highest resident
memory until then, of the server's process. The load is a closed loop of 32 connections with
different 224-pixel JPEGs; the memory under load is the highest of a few looks. The naive server
(benchmarks/baseline) is beside it; it holds a frozen and an adapted model.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

from matplotlib.axes import Axes

from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, baseline, handful, register

MANY = 32


def look(server: str, when: str, memory: dict[str, float]) -> Row:
    """A row of the table."""
    return {"server": server, "when": when, **{f"{name} MiB": x for name, x in memory.items()}}


def under_load(service: Service, requests: Sequence[Request], seconds: float) -> dict[str, float]:
    """The highest of what is seen twice a second while there is load."""
    plan = Plan(service.port, requests, MANY, seconds)
    making = threading.Thread(target=load, args=(plan,))
    making.start()
    seen = [service.memory()]
    while making.is_alive():
        making.join(timeout=0.5)
        seen.append(service.memory())
    return {name: max(memory[name] for memory in seen) for name in seen[0]}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of load")
    arguments = parser.parse_args()
    files = queries()
    rows: list[Row] = []
    with handful() as service:
        rows.append(look("Handful", "started", service.memory()))
        register(service)
        rows.append(look("Handful", "registered", service.memory()))
        bare = [Request.post(PREDICT, file, "image/jpeg") for file in files]
        rows.append(look("Handful", "under load", under_load(service, bare, arguments.seconds)))
        rows.append(look("Handful", "after it", service.memory()))
    with baseline() as service:
        rows.append(look("naive", "started", service.memory()))
        forms = [Request.form("/predict", [file], "image/jpeg", "file") for file in files]
        rows.append(look("naive", "under load", under_load(service, forms, arguments.seconds)))
        rows.append(look("naive", "after it", service.memory()))

    def plot(axes: Axes) -> None:
        names = [f"{row['server']}, {row['when']}" for row in rows]
        axes.barh(names, [float(row["rss MiB"]) for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("resident memory, MiB")

    publish(
        "memory",
        "Memory of the server",
        rows,
        plot=plot,
        about={"seconds of load": arguments.seconds},
    )


if __name__ == "__main__":
    main()
