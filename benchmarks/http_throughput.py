"""How much of the bare encoder's throughput comes out over HTTP, and how quickly one is answered.

    python -m benchmarks.http_throughput [--rounds 3] [--seconds 1.5] [--precision float32]

Closed loops of 1 to 64 connections that send different 224-pixel JPEGs to a classifier of 10
classes of 16 images. In each round the bare encoder, Handful and the naive server
(benchmarks/baseline) are measured after one another; all are running, and one has work. The
floor is the bare forward pass at the batch and the number of threads that were quickest at first,
measured at the beginning and at the end of a round, in the precision of the service. Ratios are of
one round; the median, the lowest and the highest of them are given. The naive server is written in
two ways, one of them with threads; a round's better one counts. Handful computes two embeddings
an image, so there is a naive server with two passes beside the one that computes only the frozen
one.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean, median
from typing import get_args

from matplotlib.axes import Axes

from adapters.recipe import Precision
from benchmarks.floor import Floor, Way
from benchmarks.load import Plan, Report, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from benchmarks.servers import PREDICT, baseline, handful, register
from service.encoder import load_encoder
from service.settings import Settings

HANDFUL = "Handful"
ONE_PASS = ("naive, in threads", "naive, async")
TWO_PASSES = ("naive with two passes, in threads", "naive with two passes, async")
FEW, MANY = 1, 32
CONCURRENCIES = (1, 4, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Target:
    """A way of asking a server.

    Attributes:
        service: The server.
        requests: Prepared ones.
        concurrencies: That it is measured at.
        turn: Seconds in which many connections are all answered, about: the warm-up. The window
            with many is at least twice as long, and longer than that with few, because answers
            come by the batch.
    """

    service: Service
    requests: Sequence[Request]
    concurrencies: Sequence[int]
    turn: float = 0.5

    def asked(self, connections: int, seconds: float) -> Report:
        """A closed loop."""
        if connections < MANY:
            return load(Plan(self.service.port, self.requests, connections, seconds))
        turn, length = self.turn, 2 * max(seconds, self.turn)
        return load(Plan(self.service.port, self.requests, connections, length, turn))


@dataclass(slots=True)
class Rounds:
    """What all rounds gave, in their order."""

    reports: defaultdict[tuple[str, int], list[Report]]
    forward: list[float]
    one: list[float]

    def throughputs(self, name: str, connections: int) -> list[float]:
        """Of one target."""
        return [report.throughput for report in self.reports[name, connections]]

    def better(self, names: Sequence[str], connections: int) -> list[float]:
        """Of the target that is best in each round."""
        every = [self.throughputs(name, connections) for name in names]
        return [max(row) for row in zip(*every, strict=True)]


@contextmanager
def targets(precision: Precision) -> Iterator[dict[str, Target]]:
    """Start both servers; see that each target answers."""
    files = queries()
    with handful(precision=precision) as ours, baseline() as naive:
        register(ours)
        bare = [Request.post(PREDICT, file, "image/jpeg") for file in files]
        forms = [Request.form(PREDICT, [file], "image/jpeg", "files") for file in files]
        found = {
            HANDFUL: Target(ours, bare, CONCURRENCIES),
            f"{HANDFUL}, multipart": Target(ours, forms, (MANY,)),
        }
        paths = ("/predict", "/predict-async", "/predict?both=true", "/predict-async?both=true")
        for name, path in zip((*ONE_PASS, *TWO_PASSES), paths, strict=True):
            asked = [Request.form(path, [file], "image/jpeg", "file") for file in files]
            # One by one, threads change nothing.
            concurrencies = (FEW, MANY) if path == "/predict" else (MANY,)
            found[name] = Target(naive, asked, concurrencies, turn=1.5)
        for name, target in found.items():
            report = target.asked(MANY if target.service is ours else FEW, 1.0)
            if report.errors or not report.latencies:
                raise SystemExit(f"{name} does not answer: {report.outcomes}")
        yield found


def one_round(
    floor: Floor, way: Way, found: dict[str, Target], seconds: float, rounds: Rounds
) -> None:
    """Measure everything once."""
    before = floor.forward_rate(way, seconds)
    alone = floor.one_by_one(seconds / 2)
    for name, target in found.items():
        for connections in target.concurrencies:
            rounds.reports[name, connections].append(target.asked(connections, seconds))
        if name == HANDFUL:
            alone_after = floor.one_by_one(seconds / 2)
            rounds.forward.append(mean((before, floor.forward_rate(way, seconds))))
            rounds.one.append(mean((sum(alone), sum(alone_after))))


def table(rounds: Rounds) -> list[Row]:
    """Medians over rounds."""
    rows: list[Row] = []
    for (name, connections), reports in rounds.reports.items():
        times = [1000 * median(r.latency(share) for r in reports) for share in (0.5, 0.9, 0.99)]
        throughput = rounds.throughputs(name, connections)
        rows.append(
            {
                "server": name,
                "connections": connections,
                "images/s": median(throughput),
                "of bare forward": ratios(throughput, rounds.forward)["ratio"],
                "p50 ms": times[0],
                "p90 ms": times[1],
                "p99 ms": times[2],
                "errors": sum(report.errors for report in reports),
            }
        )
    return rows


def figures(rounds: Rounds) -> list[Row]:
    """The ratios that the service is held to."""
    ours = rounds.throughputs(HANDFUL, MANY)
    latencies = [report.latency(0.5) for report in rounds.reports[HANDFUL, FEW]]
    naive = rounds.reports[ONE_PASS[0], FEW]
    return [
        {"figure": f"throughput at {MANY} / bare forward", **ratios(ours, rounds.forward)},
        {
            "figure": f"throughput at {MANY} / naive server",
            **ratios(ours, rounds.better(ONE_PASS, MANY)),
        },
        {
            "figure": f"throughput at {MANY} / naive server with two passes",
            **ratios(ours, rounds.better(TWO_PASSES, MANY)),
        },
        {
            "figure": f"p50 at {FEW} / (decode + bare forward of one)",
            **ratios(latencies, rounds.one),
        },
        {
            "figure": f"p50 at {FEW} / naive server in threads",
            **ratios(latencies, [report.latency(0.5) for report in naive]),
        },
    ]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    arguments = parser.parse_args()
    floor = Floor(load_encoder(Settings(precision=arguments.precision)), queries())
    way, rates = floor.best(arguments.seconds / 4)
    prepare = floor.prepare_rate(len(os.sched_getaffinity(0)), arguments.seconds)
    rounds = Rounds(defaultdict(list), [], [])
    with targets(arguments.precision) as found:
        for _ in range(arguments.rounds):
            one_round(floor, way, found, arguments.seconds, rounds)
    forward = median(rounds.forward)
    about = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "runtime": floor.backbone.engine,
        "precision": floor.backbone.recipe.precision,
        "bare forward": {
            "batch": way.batch,
            "threads": way.threads,
            "images/s": forward,
            "every way": [
                {"batch": w.batch, "threads": w.threads, "images/s": r} for w, r in rates.items()
            ],
        },
        "decode and preprocess, images/s": prepare,
        # No overlap can do better than both kinds of work in turn on all cores.
        "decode, preprocess and forward, images/s": 1 / (1 / prepare + 1 / forward),
        "decode and bare forward of one, ms": 1000 * median(rounds.one),
        "generator, processor us a request": 1e6
        * median(r.processor for r in rounds.reports[HANDFUL, MANY]),
    }
    rows = table(rounds)

    def plot(axes: Axes) -> None:
        lines: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            lines[str(row["server"])].append(row)
        for name, points in lines.items():
            axes.plot(
                [float(row["connections"]) for row in points],
                [float(row["images/s"]) for row in points],
                marker="o",
                label=name,
            )
        axes.axhline(forward, linestyle="--", color="black", label="bare forward pass")
        axes.set_xscale("log", base=2)
        axes.set_ylim(0, None)
        axes.set_xlabel("connections, each with one request at a time")
        axes.set_ylabel("images a second")
        axes.legend(fontsize="small")

    title = "224-pixel JPEGs over HTTP, closed loop"
    publish("http_throughput", title, rows, plot=plot, about=about)
    publish("http_throughput_ratios", f"{title}: ratios within a round", figures(rounds))
    print(
        f"bare forward ({floor.backbone.engine}, {floor.backbone.recipe.precision}):"
        f" {forward:.0f} images/s in batches of {way.batch}"
        f" by {way.threads} at a time; decoding and preprocessing alone {prepare:.0f}; one after"
        f" the other {1 / (1 / prepare + 1 / forward):.0f}"
    )


if __name__ == "__main__":
    main()
