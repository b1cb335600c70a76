"""Few-shot tasks from generic images: what our own choices rest on, apart from the measuring sets.

    .venv/bin/python benchmarks/generic_tasks.py FOLDER [--draws 3] [--adapter FILE] [--json FILE]

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101. Tasks of 5, 20 and 60 classes
are drawn from it in five forms: as it is, with the names scrambled among the classes, and with the
images turned into edge drawings, posterised, or 64 pixels wide. Features are computed once a run,
which takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from adapters.backbones import Backbone
from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS
from adapters.loading import load_backbone

SHOTS = (1, 2, 4, 8, 16)
SIZES = (5, 20, 60)
QUERIES = 20
BATCH = 32
Style = Callable[[Image.Image], Image.Image]


def as_it_is(image: Image.Image) -> Image.Image:
    """No change."""
    return image


def edges(image: Image.Image) -> Image.Image:
    """Black lines on white."""
    found = image.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    return ImageOps.invert(ImageOps.autocontrast(found)).convert("RGB")


def posterised(image: Image.Image) -> Image.Image:
    """Four values a channel."""
    return ImageOps.posterize(image.filter(ImageFilter.MedianFilter(5)), 2)


def small(image: Image.Image) -> Image.Image:
    """64 pixels wide and high."""
    return image.resize((64, 64))


def tiny(image: Image.Image) -> Image.Image:
    """32 pixels wide and high, and as large as before again."""
    return image.resize((32, 32)).resize(image.size)


STYLES: dict[str, Style] = {
    "as it is": as_it_is,
    "edges": edges,
    "posterised": posterised,
    "64 pixels": small,
}
ALL_STYLES: dict[str, Style] = {**STYLES, "32 pixels": tiny}


@dataclass(frozen=True)
class Pool:
    """All images of one style: embeddings, the class of each, and the texts of the classes."""

    embeddings: ImageEmbeddings
    labels: Tensor
    texts: Tensor

    def rows(self, label: int) -> list[int]:
        """Rows of the images of a class."""
        return (self.labels == label).nonzero().flatten().tolist()


@dataclass(frozen=True)
class Task:
    """A few-shot task: texts of its classes, support set, queries and their columns."""

    texts: Tensor
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor


def embedded(backbone: Backbone, images: list[Image.Image]) -> ImageEmbeddings:
    """Both embeddings of the images."""
    pixels = torch.stack([backbone.preprocess(image) for image in images])
    return backbone.encode_images(pixels)


def pool(backbone: Backbone, folder: Path, style: Style, title: str) -> Pool:
    """Read and embed all images of a folder."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    files = [(f, i) for i, name in enumerate(names) for f in sorted((folder / name).iterdir())]
    blocks = []
    for begin in track(range(0, len(files), BATCH), f"embedding {title}"):
        some = [style(Image.open(f).convert("RGB")) for f, _ in files[begin : begin + BATCH]]
        blocks.append(embedded(backbone, some))
    return Pool(
        ImageEmbeddings.concatenate(blocks),
        torch.tensor([label for _, label in files]),
        backbone.encode_classes(names, ()),
    )


def pools_of(backbone: Backbone, folder: Path) -> dict[str, Pool]:
    """The images of a folder in all styles."""
    return {title: pool(backbone, folder, style, title) for title, style in ALL_STYLES.items()}


def train_and_test(backbone: Backbone, folders: Iterable[Path]) -> dict[str, tuple[Pool, Pool]]:
    """Training and test images of data sets, by their names."""
    return {
        folder.name: (
            pool(backbone, folder / "train", as_it_is, f"{folder.name}/train"),
            pool(backbone, folder / "test", as_it_is, f"{folder.name}/test"),
        )
        for folder in folders
    }


def draw(pool: Pool, n_classes: int, shots: int, seed: str, *, scrambled: bool = False) -> Task:
    """Draw classes, support images and other images as queries."""
    chance = random.Random(seed)
    labels = chance.sample(range(len(pool.texts)), n_classes)
    named = chance.sample(labels, n_classes) if scrambled else labels
    support: list[int] = []
    queries: list[int] = []
    columns: list[int] = []
    truth: list[int] = []
    for column, label in enumerate(labels):
        rows = pool.rows(label)
        chance.shuffle(rows)
        support += rows[:shots]
        queries += rows[16 : 16 + QUERIES]
        columns += [column] * len(rows[:shots])
        truth += [column] * len(rows[16 : 16 + QUERIES])
    return Task(
        pool.texts[named],
        SupportSet(
            torch.arange(len(support)),
            torch.tensor(columns),
            pool.embeddings[torch.tensor(support)],
        ),
        pool.embeddings[torch.tensor(queries)],
        torch.tensor(truth),
    )


def answers(task: Task, backbone: Backbone, method: str = "auto") -> Answers:
    """Fit and ask."""
    classes = ClassSet(torch.arange(len(task.texts)), task.texts)
    classifier = FewShotClassifier(method, backbone.logit_scale, coverage=0.9)
    return classifier.fit(classes, task.support).answer(task.queries, 0)


def right(task: Task, given: Answers) -> Tensor:
    """(n,) whether each query was named rightly."""
    return given.probabilities.argmax(dim=1) == task.truth


def tasks(pools: dict[str, Pool], shots: int, draws: int) -> Iterator[Task]:
    """Tasks of all forms and sizes, the same ones for every method."""
    for style, one in pools.items():
        for n_classes in (size for size in SIZES if size <= len(one.texts)):
            for number in range(draws):
                yield draw(one, n_classes, shots, f"{style}/{n_classes}/{number}")
                if style == "as it is":
                    seed = f"scrambled/{n_classes}/{number}"
                    yield draw(one, n_classes, shots, seed, scrambled=True)


def by_method(
    pools: dict[str, Pool], backbone: Backbone, draws: int, methods: list[str]
) -> dict[str, list[float]]:
    """Accuracy and calibration error in % of every method, one number for each K."""
    found: dict[str, list[float]] = {}
    for method in track(methods, "methods"):
        for shots in SHOTS:
            accuracies, errors = [], []
            for task in tasks(pools, shots, draws):
                given = answers(task, backbone, method)
                hits = right(task, given)
                confidence = given.probabilities.amax(dim=1)
                accuracies.append(100 * hits.float().mean().item())
                errors.append(100 * binary_calibration_error(confidence, hits.long()).item())
            found.setdefault(f"{method}: accuracy", []).append(mean(accuracies))
            found.setdefault(f"{method}: calibration error", []).append(mean(errors))
    return found


def situations(pools: dict[str, Pool], backbone: Backbone, draws: int) -> dict[str, float]:
    """What ``auto`` makes of support sets that are not as in the papers, in %."""
    found: dict[str, list[float]] = {}

    def note(what: str, hits: Tensor) -> None:
        if len(hits):
            found.setdefault(what, []).append(100 * hits.float().mean().item())

    for number, task in enumerate(tasks(pools, 16, draws)):
        chance = np.random.default_rng(number)
        columns, n = task.support.labels, len(task.texts)
        place = torch.arange(len(columns)) % 16
        # Between 1 and 16 images a class.
        shots = torch.from_numpy(chance.choice([1, 2, 4, 16], n))
        unequal = replace(task, support=task.support[place < shots[columns]])
        hits = right(unequal, answers(unequal, backbone))
        for many in (1, 2, 4, 16):
            note(f"unequal: recall of classes of {many}", hits[shots[task.truth] == many])
        # Every second class by its name alone.
        half = replace(task, support=task.support[columns % 2 == 0])
        hits = right(half, answers(half, backbone))
        note("half by name alone: classes with images", hits[task.truth % 2 == 0])
        note("half by name alone: the others", hits[task.truth % 2 == 1])
        # Every second class unknown.
        known = task.truth % 2 == 0
        fewer = replace(
            half,
            texts=task.texts[::2],
            support=SupportSet(half.support.ids, half.support.labels // 2, half.support.embeddings),
        )
        given = answers(fewer, backbone)
        note("half unknown: known rejected", ~given.known[known])
        note("half unknown: unknown rejected", ~given.known[~known])
    return {what: mean(shares) for what, shares in found.items()}


def bursts(backbone: Backbone, folder: Path, plain: Pool, draws: int) -> dict[str, float]:
    """Support photos cropped, turned and brightened into four each; queries are other photos."""
    chance = random.Random(0)

    def variant(image: Image.Image) -> Image.Image:
        width, height = image.size
        share = chance.uniform(0.8, 0.97)
        x, y = chance.uniform(0, 1 - share) * width, chance.uniform(0, 1 - share) * height
        turned = image.rotate(chance.uniform(-7, 7), resample=Image.Resampling.BICUBIC)
        cut = turned.crop((int(x), int(y), int(x + share * width), int(y + share * height)))
        return ImageEnhance.Brightness(cut).enhance(chance.uniform(0.8, 1.2))

    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    held, correct = [], []
    for _ in range(draws):
        labels = chance.sample(range(len(names)), 10)
        images = [
            variant(Image.open(file).convert("RGB"))
            for label in labels
            for file in sorted((folder / names[label]).iterdir())[:4]
            for _ in range(4)
        ]
        queries = torch.tensor([row for label in labels for row in plain.rows(label)[4:]])
        column = {label: i for i, label in enumerate(labels)}
        task = Task(
            plain.texts[labels],
            SupportSet(
                torch.arange(len(images)),
                torch.arange(len(labels)).repeat_interleave(16),
                embedded(backbone, images),
            ),
            plain.embeddings[queries],
            torch.tensor([column[label] for label in plain.labels[queries].tolist()]),
        )
        given = answers(task, backbone)
        assert given.prediction_sets is not None
        held.append(given.prediction_sets.gather(1, task.truth.unsqueeze(1)).float().mean().item())
        correct.append(right(task, given).float().mean().item())
    return {
        f"bursts of four, {draws} draws: accuracy": 100 * mean(correct),
        "bursts of four: in the prediction set, 90 asked": 100 * mean(held),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--adapter", help="In place of that of `lite`; none for none.")
    parser.add_argument("--methods", default=",".join(HEADS), help="Heads to measure.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    backbone = load_backbone("lite", "cpu", adapter=arguments.adapter)
    pools = {
        title: pool(backbone, arguments.folder, style, title) for title, style in STYLES.items()
    }
    methods = by_method(pools, backbone, arguments.draws, arguments.methods.split(","))
    others = situations(pools, backbone, arguments.draws) | bursts(
        backbone, arguments.folder, pools["as it is"], 2 * arguments.draws
    )
    table = Table("in %", *(f"{k} shots" for k in SHOTS))
    for what, values in methods.items():
        table.add_row(what, *(f"{value:.1f}" for value in values))
    Console().print(table)
    table = Table("auto", "%")
    for what, value in others.items():
        table.add_row(what, f"{value:.1f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({"methods": methods, "auto": others}, indent=1))


if __name__ == "__main__":
    main()
