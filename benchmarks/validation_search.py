"""The search of published settings against trying each: how long does a data set take?

    .venv/bin/python -m benchmarks.validation_search

Made-up embeddings of 100 classes: 16 support images and 20 validation images of each. Trying each
setting is timed on 200 of them, by the tensors that the search has at that time, and multiplied.
"""

from __future__ import annotations

import resource
from dataclasses import asdict
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from adapters.published import PUBLISHED_GRID, PublishedHead
from benchmarks.published import publish

CLASSES, SHOTS, QUERIES, WIDTH, TRIED = 100, 16, 20, 512, 200


def made(texts: Tensor, each: int) -> tuple[ImageEmbeddings, Tensor]:
    """So many images of each class, hard to tell by its text alone, and their columns."""
    columns = torch.arange(CLASSES).repeat_interleave(each)
    rows = (normalize(texts[columns] + 0.2 * torch.randn(len(columns), WIDTH)) for _ in range(2))
    return ImageEmbeddings(*rows), columns


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    texts = normalize(torch.randn(CLASSES, WIDTH))
    support, columns = made(texts, SHOTS)
    queries, truth = made(texts, QUERIES)
    rows = []
    for name in ("tip-adapter++", "tip-x++"):
        head = PublishedHead(name, texts, support, columns, 30.0)
        began = perf_counter()
        found = head.search(queries, truth)
        seconds = perf_counter() - began
        [block] = head.blocks(queries, truth)
        began = perf_counter()
        for number in range(TRIED):
            beta = PUBLISHED_GRID.betas[number % len(PUBLISHED_GRID.betas)]
            block.correct(0.1 * number, beta, 1.0)
        each = (perf_counter() - began) / TRIED
        rows.append(
            {
                "head": name,
                "settings": found.settings,
                "seconds": round(seconds, 2),
                "tried one by one": round(each * found.settings),
                "times as quick": round(each * found.settings / seconds),
                **asdict(found.setting),
                "MiB at most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    publish("validation_search", "Search of published settings, one thread", rows)


if __name__ == "__main__":
    main()
