"""How well images of no class are told: false rejections, AUROC, and what explicit negatives do.

    .venv/bin/python -m benchmarks.unknown FOLDER [--draws 4] [--backbone lite]

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101; half of the classes of a task
are unknown. Images as they are, as edges, posterised, 64 and 32 pixels wide. It prints

- the shares of known and unknown queries that are rejected where 5 % are asked for, and the AUROC;
- the same with k explicit negatives, of the very classes that are asked about (a) and of other
  unknown classes (b), under weights of the margin: k / (k + 8) is what a classifier uses.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table

from adapters import negatives as module
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.loading import load_backbone
from benchmarks.generic_tasks import Pool, pools_of
from service.evaluation.metrics import auroc

SIZES = (6, 20, 60)
SHOTS = (2, 3, 4, 8, 16)
NEGATIVES = (1, 2, 4, 8, 16)
QUERIES = slice(16, 36)


class Half:
    """A task: half of the classes known, of the others half asked about."""

    def __init__(self, pool: Pool, n_classes: int, seed: str) -> None:
        chance = random.Random(seed)
        labels = chance.sample(range(len(pool.texts)), n_classes)
        self.known, rest = labels[: n_classes // 2], labels[n_classes // 2 :]
        self.asked, self.others = rest[: (len(rest) + 1) // 2], rest[(len(rest) + 1) // 2 :]
        self.pool = pool
        self.rows = {}
        for label in labels:
            rows = pool.rows(label)
            chance.shuffle(rows)
            self.rows[label] = rows
        self.chance = chance

    def of(self, labels: list[int], which: slice) -> ImageEmbeddings:
        """Some images of these classes."""
        rows = [row for label in labels for row in self.rows[label][which]]
        return self.pool.embeddings[torch.tensor(rows, dtype=torch.int64)]

    def negatives(self, labels: list[int], k: int) -> SupportSet:
        """So many images of these classes, none of which is asked about."""
        rows = [row for label in labels for row in self.rows[label][:16]]
        drawn = torch.tensor(random.Random(k).sample(rows, k))
        ids = torch.arange(10**6, 10**6 + k)
        return SupportSet(ids, torch.full((k,), -1), self.pool.embeddings[drawn])

    def measured(self, shots: int, negatives: SupportSet | None = None) -> dict[str, float]:
        """Rejected shares and AUROC in %, of a classifier with so many shots."""
        support = self.of(self.known, slice(shots))
        columns = torch.tensor(
            [i for i, one in enumerate(self.known) for _ in self.rows[one][:shots]]
        )
        classes = ClassSet(torch.arange(len(self.known)), self.pool.texts[self.known])
        # What is told of the unknown does not depend on the head.
        classifier = FewShotClassifier("zero-shot").fit(
            classes, SupportSet(torch.arange(len(columns)), columns, support), negatives=negatives
        )
        known, unknown = (
            classifier.answer(self.of(labels, QUERIES), 0) for labels in (self.known, self.asked)
        )
        assert known.ood_scores is not None
        assert unknown.ood_scores is not None
        return {
            "auroc": 100 * auroc(known.ood_scores, unknown.ood_scores),
            "known rejected": 100 * (~known.known).double().mean().item(),
            "unknown rejected": 100 * (~unknown.known).double().mean().item(),
        }


def halves(pools: dict[str, Pool], draws: int) -> Iterator[tuple[str, int, Half]]:
    """Tasks of all styles and sizes."""
    for style, one in pools.items():
        for n_classes in SIZES:
            for number in range(draws):
                yield style, n_classes, Half(one, n_classes, f"{style}/{n_classes}/{number}")


def shown(title: str, found: dict[tuple[object, ...], list[dict[str, float]]]) -> None:
    """Print means."""
    names = list(next(iter(found.values()))[0])
    table = Table(title, *names)
    for key, values in found.items():
        means = (f"{mean(one[name] for one in values):.1f}" for name in names)
        table.add_row(", ".join(map(str, key)), *means)
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--backbone", default="lite")
    arguments = parser.parse_args()
    backbone = load_backbone(arguments.backbone, "cpu")
    pools = pools_of(backbone, arguments.folder)
    rates: dict[tuple[object, ...], list[dict[str, float]]] = defaultdict(list)
    for _, n_classes, half in halves(pools, arguments.draws):
        for shots in SHOTS:
            measured = half.measured(shots)
            rates[f"{shots} shots", f"{n_classes // 2} classes"].append(measured)
            rates[f"{shots} shots", "all"].append(measured)
    shown("no negatives", dict(sorted(rates.items(), key=str)))
    effects: dict[tuple[object, ...], list[dict[str, float]]] = defaultdict(list)
    for half_weight in (2, 8, 32):
        with patch.object(module, "_HALF", half_weight):
            for _, _, half in halves(pools, arguments.draws):
                for shots in (2, 8):
                    for kind, labels in (("a", half.asked), ("b", half.others)):
                        for k in NEGATIVES:
                            measured = half.measured(shots, half.negatives(labels, k))
                            key = kind, f"{shots} shots", f"{k} negatives", f"k/(k+{half_weight})"
                            effects[key].append(measured)
    shown("explicit negatives", dict(sorted(effects.items(), key=lambda kv: kv[0][:2])))


if __name__ == "__main__":
    main()
