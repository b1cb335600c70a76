"""Seconds to tune each head by leave-one-out, and to refit it, when the support set changes.

    .venv/bin/python benchmarks/tuning.py [--shots 16 --classes 100]

Beside it, in the same run, the naive way for `gda++`: fitting it anew without each image, timed
on a few of them and scaled up.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.gaussians import SharedGaussians
from adapters.heads import HEADS

# Widths of `lite`: joint and pooled.
WIDTH, CORRECTED_WIDTH = 512, 1280
NAIVE_FITS = 5


def support_set(shots: int, n_classes: int) -> tuple[ClassSet, SupportSet]:
    """Random embeddings with as much structure as images have."""
    generator = torch.Generator().manual_seed(0)
    texts = normalize(torch.randn(n_classes, WIDTH, generator=generator), dim=1)
    centres = torch.randn(n_classes, CORRECTED_WIDTH, generator=generator)
    columns = torch.arange(n_classes).repeat_interleave(shots)
    noise = torch.randn(len(columns), CORRECTED_WIDTH, generator=generator)
    frozen = texts[columns] + 0.1 * torch.randn(len(columns), WIDTH, generator=generator)
    embeddings = ImageEmbeddings(
        normalize(frozen, dim=1), normalize(centres[columns] + 1.5 * noise, dim=1)
    )
    return ClassSet(torch.arange(n_classes), texts), SupportSet(
        torch.arange(len(columns)), columns, embeddings
    )


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """The fastest of a few runs: what the work costs without other processes."""
    took = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return min(took)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--classes", type=int, default=100)
    arguments = parser.parse_args()
    classes, support = support_set(arguments.shots, arguments.classes)
    title = f"{arguments.classes} classes of {arguments.shots}, {torch.get_num_threads()} threads"
    table = Table("method", "tune s", "fit s", title=title)
    for method, head in HEADS.items():
        tuning = head().tune(classes, support.labelled)
        tune = seconds(lambda head=head: head().tune(classes, support.labelled))
        fit = seconds(lambda head=head, tuning=tuning: head().fit(classes, support, tuning))
        table.add_row(method, f"{tune:.2f}", f"{fit:.2f}")
    whole = FewShotClassifier(coverage=0.9)
    table.add_row(
        "auto with thresholds", f"{seconds(lambda: whole.tune(classes, support.labelled)):.2f}"
    )
    keys, columns = support.embeddings.corrected, support.labels
    once = seconds(lambda: SharedGaussians().fit(keys[1:], columns[1:], len(classes)), NAIVE_FITS)
    table.add_row("gda++, refitted for every image", f"{once * len(support):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
