"""Several labels an image, against thresholds on the probabilities of one label an image.

    .venv/bin/python -m benchmarks.multi_label GENERIC [--sets DIR...] [--draws 3]
    .venv/bin/python -m benchmarks.multi_label GENERIC --hindsight
    .venv/bin/python -m benchmarks.multi_label GENERIC --views 2

GENERIC holds ``caltech101`` and ``imagenet_one_per_class``. Queries are mosaics that show up to
five classes of a task, or none, beside pictures of others; support images are pictures of one
class, or mosaics with all their labels. Told are the mean average precision over classes and F1, as
means over tasks with their range. ``single`` are the softmax probabilities of ``auto``, which takes
an image of several labels as one of each; its F1 is that of the one threshold that is best with the
queries at hand, which nobody has. ``--sets`` are measured and decide nothing. ``--hindsight`` tells
the slopes that are best with the queries at hand, ``EXPECTED`` of
``adapters/multi_label/expected.py``, and with a softmax as a third term where images have one
label: ``OF_SINGLES``. ``--views k`` adds what the highest probability over the
mosaic and its crops by a grid of k × k would gain, for 1 + k² passes a query.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, pstdev

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchmetrics.functional.classification import multilabel_average_precision

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.multi_label import MultiLabelClassifier
from adapters.multi_label.calibration import LogisticPrior, logistic
from benchmarks.multi_label.mosaics import Mosaic, mosaic_features
from benchmarks.multi_label.tasks import (
    KINDS,
    MosaicTask,
    drawn_tasks,
    measuring_source,
    sources,
    targets,
)
from service.datasets.feature_cache import FeatureCache, default_folder
from service.encoder import load_encoder
from service.settings import Settings

SHOTS = (1, 2, 4, 8, 16)
#: So weak that the queries alone decide; without and with a softmax.
HINDSIGHT = {
    2: LogisticPrior((0.4, 1.0, 0.0), (0.5, 5.0, 5.0), 0.7),
    3: LogisticPrior((0.4, 1.0, 0.3, 0.0), (0.5, 5.0, 5.0, 5.0), 0.7),
}
_THRESHOLDS = torch.linspace(0.01, 0.95, 95)
Figures = dict[tuple[str, str, int, str], list[float]]


@dataclass(frozen=True)
class Ready:
    """A task with the embeddings of its pictures.

    Attributes:
        source: What its pictures are of.
        kind: What support images show.
        shots: Images of each class.
        classes: Of the task.
        support: A row for each label of an image.
        queries: Mosaics.
        truth: (n, N) bool: what they show.
        crops: (n · k²) crops of the queries; None where none are looked at.
    """

    source: str
    kind: str
    shots: int
    classes: ClassSet
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor
    crops: ImageEmbeddings | None


def ready(
    task: MosaicTask, backbone: Backbone, cache: FeatureCache, console: Console, views: int
) -> list[Ready]:
    """A task of mosaics at all kinds and numbers of support images."""
    n_classes = len(task.names)
    classes = ClassSet(torch.arange(n_classes), backbone.encode_classes(task.names, ()))
    queries = mosaic_features(backbone, task.queries, cache, console)
    crops = mosaic_features(backbone, task.queries, cache, console, views) if views > 1 else None
    truth = targets(task.queries, n_classes)
    found = []
    for kind in KINDS:
        for shots in SHOTS:
            some: list[Mosaic] = [one for rows in task.support[kind][:shots] for one in rows]
            shown = targets(some, n_classes)
            at, column = shown.nonzero(as_tuple=True)
            rows = mosaic_features(backbone, some, cache, console)
            support = SupportSet(torch.arange(len(at)), column, rows[at])
            found.append(Ready(task.source, kind, shots, classes, support, queries, truth, crops))
    return found


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Mean over classes, in %, of (n, N) scores; of those that some query shows."""
    shown = truth.any(dim=0)
    # Between 0 and 1, or a sigmoid would be taken of them, which makes equal what is not.
    within = scores.double() - scores.double().min()
    within = within / within.max().clamp(min=1e-12)
    count = int(shown.sum())
    return 100 * float(
        multilabel_average_precision(within[:, shown], truth[:, shown].long(), count, "macro")
    )


def f1(given: Tensor, truth: Tensor) -> float:
    """F1 in % of all labels of all queries together."""
    return 100 * 2 * int((given & truth).sum()) / max(int(given.sum() + truth.sum()), 1)


def measured(task: Ready, logit_scale: float) -> dict[str, float]:
    """Both ways on one task."""
    single = FewShotClassifier("auto", logit_scale).fit(task.classes, task.support)
    chances = single.answer(task.queries, 0).probabilities
    several = MultiLabelClassifier(logit_scale).fit(task.classes, task.support)
    answers = several.answer(task.queries, 0)
    assert answers.several is not None
    figures = {
        "single: mAP": average_precision(chances, task.truth),
        "several: mAP": average_precision(answers.scores.logits, task.truth),
        "single: F1, best threshold": max(f1(chances >= t, task.truth) for t in _THRESHOLDS),
        "several: F1": f1(answers.several.labels, task.truth),
        "labels given": float(answers.several.labels.sum(dim=1).double().mean()),
        "labels shown": float(task.truth.sum(dim=1).double().mean()),
    }
    if task.crops is not None:
        views = several.answer(task.crops, 0).scores.logits
        highest = views.reshape(len(task.queries), -1, views.shape[1]).amax(dim=1)
        with_crops = torch.maximum(answers.scores.logits, highest)
        figures["several, views: mAP"] = average_precision(with_crops, task.truth)
    return figures


def hindsight(task: Ready, logit_scale: float) -> list[tuple[float, ...]]:
    """Slopes and offset that suit the queries best: of two terms; of three for single images."""
    several = MultiLabelClassifier(logit_scale).fit(task.classes, task.support)
    terms, base = several.head_.terms_of(task.queries)
    everyone = torch.full((len(task.truth),), 0.5)
    found = []
    for some in (terms[:2], terms) if task.kind == KINDS[0] else (terms[:2],):
        prior = HINDSIGHT[len(some)]
        best = logistic(some, task.truth, task.truth.any(dim=0), everyone, prior, base)
        found.append((*best.slopes, best.offset))
    return found


def shown_figures(figures: Figures, console: Console) -> None:
    """Mean and range over tasks of each figure."""
    titles = dict.fromkeys((source, kind) for source, kind, _, _ in figures)
    for source, kind in titles:
        table = Table(f"{source}, support images are {kind}", *(f"{k} shots" for k in SHOTS))
        for what in dict.fromkeys(key[3] for key in figures if key[:2] == (source, kind)):
            cells = []
            for shots in SHOTS:
                values = figures[source, kind, shots, what]
                cells.append(f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})")
            table.add_row(what, *cells)
        console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("generic", type=Path)
    parser.add_argument("--sets", type=Path, nargs="*", default=[], help="Measured, no more.")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--views", type=int, default=1, help="Crops by a grid of so many.")
    parser.add_argument("--hindsight", action="store_true", help="Print the prior instead.")
    arguments = parser.parse_args()
    console = Console()
    backbone = load_encoder(Settings())
    cache = FeatureCache(default_folder(), backbone)
    pools = [*sources(arguments.generic), *map(measuring_source, arguments.sets)]
    figures: Figures = defaultdict(list)
    best: dict[tuple[str, str, int, int], list[tuple[float, ...]]] = defaultdict(list)
    for pool in pools:
        sizes = (5, 20, 50) if len(pool.classes) > 12 else (5,)
        for task in drawn_tasks(pool, arguments.draws, sizes):
            for one in ready(task, backbone, cache, console, arguments.views):
                at = one.source, one.kind, one.shots
                if arguments.hindsight:
                    for found in hindsight(one, backbone.logit_scale):
                        best[(*at, len(found))].append(found)
                    continue
                for what, value in measured(one, backbone.logit_scale).items():
                    figures[(*at, what)].append(value)
    if not arguments.hindsight:
        shown_figures(figures, console)
        return
    for names in (("names", "images", "offset"), ("names", "images", "softmax", "offset")):
        table = Table("shots", *names)
        for shots in SHOTS:
            families = [
                [median(values) for values in zip(*found, strict=True)]
                for (_, _, at, size), found in best.items()
                if (at, size) == (shots, len(names))
            ]
            parts = list(zip(*families, strict=True))
            table.add_row(str(shots), *(f"{mean(part):.2f} ± {pstdev(part):.2f}" for part in parts))
        console.print(table)


if __name__ == "__main__":
    main()
