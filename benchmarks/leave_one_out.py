"""How long tuning takes when the support set changes.

    .venv/bin/python benchmarks/leave_one_out.py

Random unit vectors around class centres stand for embeddings; time depends on sizes alone.
"""

from __future__ import annotations

import statistics
import time

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import normalize

from adapters.tuning.leave_one_out import leave_one_out

WIDTH, REPEATS = 1280, 5


def main() -> None:
    """Measure and print a table."""
    generator = torch.Generator().manual_seed(0)
    table = Table("classes", "shots", "images", "median seconds", "slowest")
    for n_classes, shots in ((3, 4), (10, 16), (100, 1), (100, 16), (1000, 4)):
        columns = torch.arange(n_classes).repeat_interleave(shots)
        centres = torch.randn(n_classes, WIDTH, generator=generator)
        noise = torch.randn(len(columns), WIDTH, generator=generator)
        keys = normalize(centres[columns] + 2 * noise, dim=-1)
        zero_shot = 5 * torch.randn(len(columns), n_classes, generator=generator)
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            leave_one_out(zero_shot, keys, columns)
            times.append(time.perf_counter() - begun)
        table.add_row(
            str(n_classes),
            str(shots),
            str(len(columns)),
            f"{statistics.median(times):.3f}",
            f"{max(times):.3f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
