"""Images a second through the bare encoder by batch, runtime, and passes at a time.

    python -m benchmarks.batch_sizes [--backbone lite] [--rounds 3] [--seconds 0.7]

Both embeddings of prepared 224-pixel images, in PyTorch and in the runtime that the service
chooses. The last column compares with PyTorch on the same batch by one thread, in the same round.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from statistics import median

from matplotlib.axes import Axes

from benchmarks.floor import BATCHES, Floor, Way
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from service.encoder import load_encoder
from service.settings import Settings

THREADS = (1, 2)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7, help="of each measurement")
    arguments = parser.parse_args()
    files = queries(max(BATCHES))
    floors = {}
    for runtime in ("eager", "auto"):
        settings = Settings(backbone=arguments.backbone, runtime=runtime)
        floor = Floor(load_encoder(settings), files)
        floors[floor.backbone.engine] = floor
    rates: defaultdict[tuple[str, Way], list[float]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for batch in BATCHES:
            for name, floor in floors.items():
                for threads in THREADS:
                    way = Way(batch, threads)
                    floor.forward_rate(way, 0)
                    rates[name, way].append(floor.forward_rate(way, arguments.seconds))
    rows: list[Row] = [
        {
            "runtime": name,
            "batch": way.batch,
            "passes at a time": way.threads,
            "images/s": median(found),
            "ms a pass": 1000 * way.batch * way.threads / median(found),
            "times eager": ratios(found, rates["eager", Way(way.batch, 1)])["ratio"],
        }
        for (name, way), found in sorted(
            rates.items(), key=lambda item: (item[0][0], item[0][1].threads, item[0][1].batch)
        )
    ]

    def plot(axes: Axes) -> None:
        for name in floors:
            for threads in THREADS:
                points = [median(rates[name, Way(batch, threads)]) for batch in BATCHES]
                axes.plot(BATCHES, points, marker="o", label=f"{name}, {threads} at a time")
        axes.set_xscale("log", base=2)
        axes.set_ylim(0, None)
        axes.set_xlabel("images a pass")
        axes.set_ylabel("images a second")
        axes.legend()

    publish(
        "batch_sizes",
        f"The bare encoder {arguments.backbone}, both embeddings",
        rows,
        plot=plot,
        about={"rounds": arguments.rounds, "seconds": arguments.seconds},
    )


if __name__ == "__main__":
    main()
