"""Time of both embeddings in one pass, against two passes and against the frozen one alone.

    .venv/bin/python benchmarks/two_embeddings.py [--rounds 5] [--images 1 4 16]

Random weights for the ViTs. `lite` is timed with an adapter beside its last blocks, as it is
trained, and beside all of them. Each round times all three after one another; the figures are
medians over rounds, and the ratios are medians of each round's own ratio, so that a machine that
is busy for a while slows both sides.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import open_clip
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from adapters.backbones.lite.model import build_lite
from adapters.corrections.bottleneck import (
    BottleneckAdapter,
    BottleneckConfig,
    attach,
    insertion_points,
)

SIDE = 224


def towers() -> list[tuple[str, nn.Module, tuple[int, ...] | None]]:
    """Names, encoders' towers and where their adapters sit."""
    lite: nn.Module = build_lite().model.get_submodule("visual")
    last = len(insertion_points(lite))
    return [
        ("ViT-B/32, all 12 blocks", open_clip.create_model("ViT-B-32").visual, None),
        ("ViT-B/16, all 12 blocks", open_clip.create_model("ViT-B-16").visual, None),
        ("ViT-B/16, last 3 blocks", open_clip.create_model("ViT-B-16").visual, (9, 10, 11)),
        ("lite, last 3 places", lite, tuple(range(last - 3, last))),
        ("lite, all places", lite, None),
    ]


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def one_round(visual: nn.Module, adapter: BottleneckAdapter, pixels: Tensor) -> list[float]:
    """Seconds of both embeddings at once, of one after the other, and of the frozen one."""

    def both() -> None:
        with adapter.both():
            visual(pixels)

    def frozen() -> None:
        with adapter.frozen():
            visual(pixels)

    def two() -> None:
        frozen()
        visual(pixels)

    return [seconds(both), seconds(two), seconds(frozen)]


@torch.inference_mode()
def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4, 16])
    arguments = parser.parse_args()
    table = Table(
        "tower and adapter",
        "images",
        "both, ms",
        "two passes, ms",
        "frozen alone, ms",
        "both / two",
        "both / frozen",
        title=f"{torch.get_num_threads()} threads, {SIDE} pixels",
    )
    for name, visual, chosen in towers():
        adapter = attach(visual.eval(), BottleneckConfig(places=chosen))
        for images in arguments.images:
            pixels = torch.randn(images, 3, SIDE, SIDE)
            one_round(visual, adapter, pixels)
            times = [one_round(visual, adapter, pixels) for _ in range(arguments.rounds)]
            both, two, frozen = (
                f"{1000 * statistics.median(column):.0f}" for column in zip(*times, strict=True)
            )
            table.add_row(
                name,
                str(images),
                both,
                two,
                frozen,
                f"{statistics.median(t[0] / t[1] for t in times):.2f}",
                f"{statistics.median(t[0] / t[2] for t in times):.2f}",
            )
        adapter.detach()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
