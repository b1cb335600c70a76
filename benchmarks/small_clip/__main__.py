"""Train a small CLIP from scratch, then adapt it: overlap, m²-Mix and COMMA, end to end.

    .venv/bin/python -m benchmarks.small_clip FOLDER [--seed 0] [--json FILE]

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101. Half of the images of each
class train the CLIP, with the names of their classes as texts, half of which are exchanged, as
captions on the web are often wrong; all figures are of the other half.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from adapters.training.loop import LoopSettings
from adapters.training.methods.imo.styles import pencil
from benchmarks.small_clip import comma, mixup, overlap_adapter
from benchmarks.small_clip.clip import Contrastive, new, run, tokens
from benchmarks.small_clip.data import Crops, halves, miscaptioned, read

MISCAPTIONED = 0.5
PRETRAINING = LoopSettings(epochs=20, batch=128, learning_rate=1e-3, weight_decay=0.1, warmup=0.1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seed, began = arguments.seed, perf_counter()
    learning, other = halves(read(arguments.folder), seed)
    model = new(seed)
    run(
        Contrastive(model),
        Crops(miscaptioned(learning, MISCAPTIONED, seed), tokens(learning.names), seed),
        PRETRAINING,
        "training a small CLIP",
    )
    classes = learning.labels.unique().tolist()
    some, rest = classes[::2], classes[1::2]
    drawn_learning, drawn_other = halves(read(arguments.folder, pencil, seed), seed)
    parts: dict[tuple[str, ...], Callable[[], dict[str, list[float]]]] = {
        ("the IMO adapter, on classes it was not trained on", "frozen", "adapted"): (
            lambda: overlap_adapter.measure(
                model, learning.of_classes(some), other.of_classes(rest), seed
            )
        ),
        ("m²-Mix, on other images", "before", "CLIP loss alone", "with m²-Mix"): (
            lambda: mixup.measure(model, learning, other, seed)
        ),
        ("COMMA, on pencil drawings, accuracy in %", "hand-written prompt", "trained prompts"): (
            lambda: comma.measure(model, drawn_learning, drawn_other, seed)
        ),
    }
    found = {}
    for headings, measure in parts.items():
        rows = measure()
        table = Table(*headings)
        for name, values in rows.items():
            table.add_row(name, *(f"{value:.3g}" for value in values))
        Console().print(table)
        found[headings[0]] = rows
    Console().print(f"{perf_counter() - began:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
