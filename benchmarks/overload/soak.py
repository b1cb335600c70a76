"""A soak: hours at 80 % of capacity, with minutes at 300 % in between; does anything grow?

    python -m benchmarks.overload.soak --hours 4 --log FOLDER [--backbone lite]

The service has a processor for itself, and two tenants. One asks for predictions in windows of a
minute; the other registers an image, looks at it, asks what is similar and deletes it, again and
again. Of each half hour the last four minutes are at 300 %. After each window it is written down
what the service holds. The first ten minutes are its warm-up. In the end: the slope of memory over
the windows at 80 % (Theil and Sen, with an interval of 95 %), that of their p99, the least and most
files, threads and sockets, p99 at 300 % against that at 80 %, and whatever was answered otherwise
than with a success or 503, with which the status is 1. A run that was broken off is summed up from
its log by `--hours 0`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx2 as httpx
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import theilslopes

from benchmarks.overload.beside import MORE, REFUSED, registering, running_beside
from benchmarks.overload.service import CALM, EAGER, Overloaded, running
from benchmarks.overload.usage import usage
from benchmarks.photographs import queries
from benchmarks.published import machine
from benchmarks.servers import CLASSIFIER

WINDOW, WARM_UP = 60.0, 600.0
NORMAL, OVERLOAD = 0.8, 3.0
_CYCLE, _OVERLOADED = 30, 4  # windows, and those of them at 300 %

Window = dict[str, Any]


@contextmanager
def changing(client: httpx.Client, statuses: Counter[str]) -> Iterator[None]:
    """Register an image, look at it, delete it, all the time; errors count like statuses."""
    registrations = itertools.cycle([registering(client, image) for image in queries(16)])

    def run(over: threading.Event) -> None:
        while not over.wait(0.5):
            try:
                once(next(registrations))
            except httpx.HTTPError as error:
                statuses[type(error).__name__] += 1

    def once(register: Callable[[], httpx.Response]) -> None:
        answer = register()
        statuses[str(answer.status_code)] += 1
        if answer.is_success:
            image = f"{MORE}/{answer.json()['images'][0]['id']}"
            for method, what in (("GET", image), ("GET", CLASSIFIER), ("DELETE", image)):
                statuses[str(client.request(method, what).status_code)] += 1

    with running_beside(run):
        yield


def soak(hours: float, log: Path, backbone: str) -> None:
    """Run, and write down each window."""
    with running(backbone) as service, log.open("a") as file:
        capacity = service.asked(EAGER, 20.0).throughput
        file.write(json.dumps({"machine": machine(), "capacity": capacity}) + "\n")
        begun, number = time.monotonic(), 0
        with service.client(CALM) as client:
            while (passed := time.monotonic() - begun) < 3600 * hours:
                share = OVERLOAD if number % _CYCLE >= _CYCLE - _OVERLOADED else NORMAL
                statuses = Counter[str]()
                with changing(client, statuses):
                    window = measured(service, capacity, share, number)
                window |= {"at": passed, "changes": dict(statuses)}
                file.write(json.dumps(window) + "\n")
                file.flush()
                number += 1


def measured(service: Overloaded, capacity: float, share: float, seed: int) -> Window:
    """One window of queries, and what the service holds after it."""
    report = service.asked(EAGER, WINDOW, share * capacity, seed)
    database = service.server.data_dir / "handful.db"
    return {
        "share": share,
        "outcomes": dict(report.outcomes),
        "p50 ms": 1000 * report.latency(0.5),
        "p99 ms": 1000 * report.latency(0.99),
        "database MiB": database.stat().st_size / 2**20,
        **usage(service.server.process.pid),
    }


def summed_up(windows: Sequence[Window]) -> dict[str, Any]:
    """What the windows show."""
    warm = [window for window in windows if window["at"] >= WARM_UP]
    normal = [window for window in warm if window["share"] == NORMAL]
    over = [window for window in warm if window["share"] == OVERLOAD]
    hours = [window["at"] / 3600 for window in normal]

    def slope(what: str) -> list[float]:
        found = theilslopes([window[what] for window in normal], hours, 0.95)
        return [round(float(value), 3) for value in (found[0], found[2], found[3])]

    outcomes, changes = Counter[str](), Counter[str]()
    for window in windows:
        outcomes.update(window["outcomes"])
        changes.update(window["changes"])
    p99 = median(window["p99 ms"] for window in normal)
    return {
        "hours": round(windows[-1]["at"] / 3600, 2),
        "queries": dict(outcomes),
        "changes": dict(changes),
        "failures": {
            f"{of} {outcome}": count
            for of, counts in (("queries", outcomes), ("changes", changes))
            for outcome, count in counts.items()
            if not outcome.startswith("2") and outcome != REFUSED
        },
        "rss MiB an hour": slope("rss MiB"),
        "p99 ms an hour": slope("p99 ms"),
        "p99 ms at 80 %": round(p99, 1),
        "p99 at 300 % / at 80 %": [round(w["p99 ms"] / p99, 2) for w in over],
        **{
            what: [min(w[what] for w in normal), max(w[what] for w in normal)]
            for what in ("files", "threads", "sockets", "rss MiB", "database MiB")
        },
    }


def drawn(windows: Sequence[Window], file: Path) -> None:
    """Memory and p99 over time."""
    figure = Figure(figsize=(8, 6), dpi=120, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for share, colour in ((NORMAL, "tab:blue"), (OVERLOAD, "tab:red")):
        some = [window for window in windows if window["share"] == share]
        hours = np.array([window["at"] / 3600 for window in some])
        label = f"{share:.0%} of capacity"
        above.plot(hours, [w["rss MiB"] for w in some], ".", color=colour, label=label)
        below.plot(hours, [w["p99 ms"] for w in some], ".", color=colour, label=label)
    above.set_ylabel("resident memory, MiB")
    below.set_ylabel("p99 of those let in, ms")
    below.set_xlabel("hours")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file)


def main() -> int:
    """Run and sum up; the status is 1 where there were failures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--log", type=Path, required=True, help="folder for log and plot")
    parser.add_argument("--backbone", default="lite")
    arguments = parser.parse_args()
    arguments.log.mkdir(parents=True, exist_ok=True)
    log = arguments.log / "soak.jsonl"
    if arguments.hours:
        log.unlink(missing_ok=True)
        soak(arguments.hours, log, arguments.backbone)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    windows = [line for line in lines if "share" in line]
    shown = summed_up(windows)
    print(json.dumps(lines[0]), json.dumps(shown), sep="\n")
    drawn(windows, arguments.log / "soak.png")
    return int(bool(shown["failures"]))


if __name__ == "__main__":
    sys.exit(main())
