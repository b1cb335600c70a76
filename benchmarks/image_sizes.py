"""How throughput depends on the size of the images that are sent, as JPEG and as PNG.

    python -m benchmarks.image_sizes [--rounds 2] [--seconds 1.2]

Closed loops of 8 connections; images of 224 x 224 and of 4:3, put together from patches of
photographs pixel by pixel, so that they have a photograph's detail at every size. PNGs end where
they would pass the service's limit of 32 MiB. Beside each, from the same round: what decoding,
preprocessing and the bare forward pass take on all cores, one kind of work after the other (the
floor), and the naive server (benchmarks/baseline, in threads, one pass).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from matplotlib.axes import Axes

from benchmarks.floor import Floor
from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import MEDIA_TYPES, encoded, mosaic, queries
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from benchmarks.servers import PREDICT, baseline, handful, register
from service.encoder import load_encoder
from service.settings import Settings

SIZES = {"JPEG": (224, 500, 1000, 2000, 4000), "PNG": (224, 1000, 2000)}
CONNECTIONS = 8
_PIXELS = 24_000_000
"""Of all the different images of one size together."""


@dataclass(slots=True)
class Kind:
    """Images of one size and format, and what was measured with them."""

    form: str
    width: int
    files: Sequence[bytes]
    ours: list[float] = field(default_factory=list)
    naive: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    @classmethod
    def make(cls, form: str, width: int) -> Kind:
        """Make the files."""
        height = width if width == min(SIZES[form]) else 3 * width // 4
        rng = np.random.default_rng(width)
        count = max(2, min(32, _PIXELS // (width * height)))
        return cls(form, width, [encoded(mosaic(rng, width, height), form) for _ in range(count)])

    def measure(
        self, floor: Floor, forward: float, ours: Service, naive: Service, seconds: float
    ) -> None:
        """Add a round."""
        cores = len(os.sched_getaffinity(0))
        prepare = Floor(floor.backbone, self.files).prepare_rate(cores, seconds / 2)
        self.floor.append(1 / (1 / prepare + 1 / forward))
        media_type = MEDIA_TYPES[self.form]
        bare = [Request.post(PREDICT, file, media_type) for file in self.files]
        forms = [Request.form("/predict", [file], media_type, "file") for file in self.files]
        self.ours.append(self._throughput(ours, bare, seconds))
        self.naive.append(self._throughput(naive, forms, seconds))

    def _throughput(self, service: Service, requests: Sequence[Request], seconds: float) -> float:
        # So that a connection is answered more than once even where decoding takes most.
        length = seconds if self.width <= 1000 else 2 * seconds
        report = load(Plan(service.port, requests, CONNECTIONS, length, length / 2))
        if report.errors or not report.latencies:
            raise SystemExit(
                f"{self.form} of {self.width} pixels: {dict(report.outcomes) or 'no answer'} in"
                f" {length} s; try more --seconds"
            )
        return report.throughput

    def row(self) -> Row:
        """Medians over rounds."""
        return {
            "format": self.form,
            "width": self.width,
            "KB": median(map(len, self.files)) / 1000,
            "images/s": median(self.ours),
            "floor": median(self.floor),
            "naive": median(self.naive),
            "of the floor": ratios(self.ours, self.floor)["ratio"],
            "times the naive": ratios(self.ours, self.naive)["ratio"],
        }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.2, help="of each measurement")
    arguments = parser.parse_args()
    kinds = [Kind.make(form, width) for form, widths in SIZES.items() for width in widths]
    floor = Floor(load_encoder(Settings()), queries())
    way, _ = floor.best(0.3)
    with handful() as ours, baseline() as naive:
        register(ours)
        for _ in range(arguments.rounds):
            forward = floor.forward_rate(way, arguments.seconds)
            for kind in kinds:
                kind.measure(floor, forward, ours, naive, arguments.seconds)
    rows = [kind.row() for kind in kinds]

    def plot(axes: Axes) -> None:
        for form in SIZES:
            points = [row for row in rows if row["format"] == form]
            widths = [float(row["width"]) for row in points]
            for column, line in (("images/s", "-"), ("floor", "--"), ("naive", ":")):
                name = "Handful" if column == "images/s" else column
                rates = [float(row[column]) for row in points]
                axes.plot(widths, rates, line, marker="o", label=f"{name}, {form}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("pixels of the longer side")
        axes.set_ylabel("images a second")
        axes.legend()

    publish(
        "image_sizes",
        f"Throughput by image size, {CONNECTIONS} connections",
        rows,
        plot=plot,
        about={"rounds": arguments.rounds, "seconds": arguments.seconds},
    )


if __name__ == "__main__":
    main()
