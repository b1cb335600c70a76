"""Are suggested support images worth more than random ones? At 1, 2, 4 and 8 images a class.

    .venv/bin/python -m benchmarks.suggestions SET... [--draws 8] [--features DIR] [--json FILE]
    .venv/bin/python -m benchmarks.suggestions --generic DIR [--variants] ...

SET holds train/CLASS/IMAGE, the pool, and test/CLASS/IMAGE, the queries. Each draw keeps three
quarters of the pool's images of each class, from which both choose: with labels, K images of each
of the N classes; without, K · N images, which are labelled then, and some classes may have none.
The head is `auto`. DIR of --generic holds CLASS/IMAGE files, from which tasks are drawn as in
`generic_tasks.py`, with the images at 32 pixels beside its forms; --variants compares the kernel's
width, roots and centring on them. Embeddings are kept in the folder of --features.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from adapters import herding
from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.herding import herd, herd_classes
from adapters.loading import load_backbone
from adapters.span import features
from benchmarks.generic_tasks import (
    ALL_STYLES,
    BATCH,
    QUERIES,
    SIZES,
    Style,
    as_it_is,
    embedded,
)

SHOTS = (1, 2, 4, 8)
KEPT = 0.75


@dataclass(frozen=True)
class Images:
    """Embedded images of a folder, the class of each, and texts of the classes by their names."""

    embeddings: ImageEmbeddings
    labels: Tensor
    names: list[str]
    texts: Tensor


@dataclass(frozen=True)
class Task:
    """A pool, queries, and the columns of both among N classes."""

    pool: ImageEmbeddings
    columns: Tensor
    queries: ImageEmbeddings
    truth: Tensor
    texts: Tensor


@dataclass(frozen=True)
class Way:
    """A way to compare images: their features, and the quantile that is the kernel's width."""

    features: Callable[[Tensor], Tensor] = lambda rows: rows
    quantile: float = herding.QUANTILE


def roots(rows: Tensor) -> Tensor:
    """Square roots, as Gaussians see the images."""
    return features(rows.clone(), skewed=float(rows.amin()) >= 0)


def centred(rows: Tensor) -> Tensor:
    """Without the pool's mean."""
    return normalize(rows - rows.mean(dim=0), dim=1)


PAPER = {"as in the paper": Way()}
VARIANTS = {
    **PAPER,
    **{f"quantile {q:g}": Way(quantile=q) for q in (0.005, 0.02, 0.3, 0.5)},
    "roots": Way(roots),
    "centred": Way(centred),
    "roots, centred": Way(lambda rows: centred(roots(rows))),
    "roots, centred, quantile 0.02": Way(lambda rows: centred(roots(rows)), 0.02),
}


def read(backbone: Backbone, folder: Path, style: Style, kept: Path | None) -> Images:
    """Embed the images of a folder, or read what was kept of an earlier run."""
    name = f"{folder.parent.name}_{folder.name}_{style.__name__}.npz"
    if kept is not None and (kept / name).exists():
        found = np.load(kept / name)
    else:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        files = [(f, i) for i, one in enumerate(names) for f in sorted((folder / one).iterdir())]
        blocks = []
        for start in track(range(0, len(files), BATCH), f"embedding {name}"):
            some = [style(Image.open(f).convert("RGB")) for f, _ in files[start : start + BATCH]]
            blocks.append(embedded(backbone, some))
        whole = ImageEmbeddings.concatenate(blocks)
        found = {
            "frozen": whole.frozen.numpy(),
            "corrected": whole.corrected.numpy(),
            "y": np.array([label for _, label in files]),
            "names": np.array(names),
            "texts": backbone.encode_classes(names, ()).numpy(),
        }
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            np.savez(kept / name, **found)
    return Images(
        ImageEmbeddings(torch.from_numpy(found["frozen"]), torch.from_numpy(found["corrected"])),
        torch.from_numpy(found["y"]),
        found["names"].tolist(),
        torch.from_numpy(found["texts"]),
    )


def of_set(train: Images, test: Images, draw: int) -> Task:
    """Three quarters of the training images of each class, and all test images."""
    chance = random.Random(draw)
    rows: list[int] = []
    for label in range(len(train.names)):
        own = (train.labels == label).nonzero().flatten().tolist()
        rows += chance.sample(own, max(1, round(KEPT * len(own))))
    chance.shuffle(rows)
    column = torch.tensor([train.names.index(name) for name in test.names])
    return Task(
        train.embeddings[torch.tensor(rows)],
        train.labels[rows],
        test.embeddings,
        column[test.labels],
        train.texts,
    )


def of_generic(images: Images, n_classes: int, seed: str, *, scrambled: bool = False) -> Task:
    """Draw classes; some of their images are queries, the others the pool."""
    chance = random.Random(seed)
    labels = chance.sample(range(len(images.names)), n_classes)
    named = chance.sample(labels, n_classes) if scrambled else labels
    pool: list[tuple[int, int]] = []
    queries: list[tuple[int, int]] = []
    for column, label in enumerate(labels):
        rows = (images.labels == label).nonzero().flatten().tolist()
        chance.shuffle(rows)
        queries += [(row, column) for row in rows[:QUERIES]]
        pool += [(row, column) for row in rows[QUERIES:]]
    chance.shuffle(pool)
    own, asked = torch.tensor(pool).T, torch.tensor(queries).T
    return Task(
        images.embeddings[own[0]],
        own[1],
        images.embeddings[asked[0]],
        asked[1],
        images.texts[named],
    )


def accuracy(backbone: Backbone, task: Task, rows: Tensor) -> float:
    """Of `auto` with these images of the pool as support set, in %."""
    support = SupportSet(torch.arange(len(rows)), task.columns[rows], task.pool[rows])
    classes = ClassSet(torch.arange(len(task.texts)), task.texts)
    fitted = FewShotClassifier("auto", backbone.logit_scale).fit(classes, support)
    best = fitted.answer(task.queries, 0).probabilities.argmax(dim=1)
    return 100 * (best == task.truth).float().mean().item()


def choices(task: Task, shots: int, way: Way, *, labelled: bool) -> Tensor:
    """Rows of the pool that are suggested."""
    rows = way.features(task.pool.corrected)
    none = torch.full((len(rows),), -1.0)
    herding.QUANTILE = way.quantile
    if labelled:
        return herd_classes(rows, task.columns, none, shots).rows
    return herd(rows, none, shots * len(task.texts)).rows


def drawn(task: Task, shots: int, chance: random.Random, *, labelled: bool) -> Tensor:
    """Rows of the pool by chance."""
    if not labelled:
        n = min(shots * len(task.texts), len(task.columns))
        return torch.tensor(chance.sample(range(len(task.columns)), n))
    rows: list[int] = []
    for column in range(len(task.texts)):
        own = (task.columns == column).nonzero().flatten().tolist()
        rows += chance.sample(own, min(shots, len(own)))
    return torch.tensor(rows)


def tasks_of(
    backbone: Backbone, arguments: argparse.Namespace
) -> Iterator[tuple[str, Iterator[Task]]]:
    """The tasks of each set."""
    if arguments.generic:
        for title, style in ALL_STYLES.items():
            images = read(backbone, arguments.generic, style, arguments.features)
            for scrambled in (False, True) if style is as_it_is else (False,):
                yield (
                    f"{title}{', names scrambled' if scrambled else ''}",
                    (
                        of_generic(images, size, f"{title}/{size}/{draw}", scrambled=scrambled)
                        for size in SIZES
                        for draw in range(arguments.draws)
                    ),
                )
    for folder in arguments.sets:
        train, test = (
            read(backbone, folder / part, as_it_is, arguments.features)
            for part in ("train", "test")
        )
        yield folder.name, (of_set(train, test, draw) for draw in range(arguments.draws))


def measure(
    backbone: Backbone, arguments: argparse.Namespace
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean accuracies by what is compared, way, and set."""
    ways = VARIANTS if arguments.variants else PAPER
    found: dict[str, dict[str, dict[str, float]]] = {}
    for title, tasks in tasks_of(backbone, arguments):
        values: dict[tuple[str, str], list[float]] = {}
        for number, task in enumerate(track(tasks, title)):
            for labelled in (True, False):
                for shots in arguments.shots:
                    what = f"{'with' if labelled else 'without'} labels, {shots} a class"
                    chance = random.Random(f"{number}/{shots}")
                    by_chance = drawn(task, shots, chance, labelled=labelled)
                    at = values.setdefault((what, "random"), [])
                    at.append(accuracy(backbone, task, by_chance))
                    for name, way in ways.items():
                        rows = choices(task, shots, way, labelled=labelled)
                        at = values.setdefault((what, name), [])
                        at.append(accuracy(backbone, task, rows))
        for (what, name), accuracies in values.items():
            found.setdefault(what, {}).setdefault(name, {})[title] = mean(accuracies)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--generic", type=Path)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--shots", type=int, nargs="+", default=SHOTS)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    found = measure(load_backbone("lite", "cpu"), arguments)
    for what, by_way in found.items():
        titles = list(by_way["random"])
        table = Table(f"{what}, accuracy in %", *titles, "mean", "worst")
        for name, by_set in by_way.items():
            gained = [by_set[title] - by_way["random"][title] for title in titles]
            values = [f"{by_set[title]:.1f}" for title in titles]
            table.add_row(name, *values, f"{mean(by_set.values()):.1f}", f"{min(gained):+.1f}")
        Console(width=160).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
