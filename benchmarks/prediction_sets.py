"""How often prediction sets hold the true class, beside what is asked: bursts, styles, other sets.

    .venv/bin/python -m benchmarks.prediction_sets FOLDER [--sets DIR ...] [--draws 3] [--json FILE]

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101; what decides in
``adapters/tuning/bursts.py`` was chosen on it. Tasks of 5 and 20 classes as in
``generic_tasks.py``, also of photos that are 32 pixels wide, and with bursts: the support images of
a class are drawn from eight crops and turns of each of 2 to 8 photos, mild ones or strong ones with
mirrorings. Each DIR, of which only figures are wanted, holds ``train/CLASS/IMAGE`` and
``test/CLASS/IMAGE``.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from PIL import Image, ImageEnhance, ImageOps
from rich.console import Console
from rich.table import Table
from torch import Tensor

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.loading import load_backbone
from adapters.out_of_distribution import lower_quantile
from adapters.tuning.bursts import one_of_each_burst
from adapters.tuning.votes import Votes
from benchmarks.generic_tasks import (
    BATCH,
    Pool,
    Task,
    draw,
    embedded,
    pools_of,
    train_and_test,
)

SHOTS = (2, 4, 8, 16)
SIZES = (5, 20)
ASKED = (0.8, 0.9, 0.95)
QUERIES = 20
# Photos that are turned into bursts: of so many classes, so many of each, so many variants.
CLASSES, PHOTOS, VARIANTS = 30, 8, 8
# Queries of a set's test split, at most.
MOST_QUERIES = 1500


@dataclass(frozen=True)
class Strength:
    """How far a variant is from its photo."""

    least: float
    most: float
    turn: float
    brightness: float
    mirrored: bool


STRENGTHS = {
    "mild": Strength(0.9, 0.99, 3, 0.1, mirrored=False),
    "middle": Strength(0.8, 0.97, 7, 0.2, mirrored=False),
    "strong": Strength(0.6, 0.95, 15, 0.4, mirrored=True),
}


@dataclass(frozen=True)
class Bursts:
    """Variants of photos: embeddings, the class and the photo of each."""

    embeddings: ImageEmbeddings
    labels: Tensor
    photos: Tensor


def variant(image: Image.Image, strength: Strength, chance: random.Random) -> Image.Image:
    """A crop of the image, turned and brightened."""
    width, height = image.size
    share = chance.uniform(strength.least, strength.most)
    x, y = chance.uniform(0, 1 - share) * width, chance.uniform(0, 1 - share) * height
    angle = chance.uniform(-strength.turn, strength.turn)
    turned = image.rotate(angle, resample=Image.Resampling.BICUBIC)
    cut = turned.crop((int(x), int(y), int(x + share * width), int(y + share * height)))
    if strength.mirrored and chance.random() < 0.5:
        cut = ImageOps.mirror(cut)
    light = chance.uniform(1 - strength.brightness, 1 + strength.brightness)
    return ImageEnhance.Brightness(cut).enhance(light)


def bursts_of(backbone: Backbone, folder: Path, strength: Strength) -> Bursts:
    """The first photos of some classes, each as a burst."""
    chance = random.Random(0)
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    images, labels, photos = list[ImageEmbeddings](), list[int](), list[int]()
    waiting: list[Image.Image] = []
    for label in chance.sample(range(len(names)), min(CLASSES, len(names))):
        for photo, file in enumerate(sorted((folder / names[label]).iterdir())[:PHOTOS]):
            opened = Image.open(file).convert("RGB")
            waiting += [variant(opened, strength, chance) for _ in range(VARIANTS)]
            labels += [label] * VARIANTS
            photos += [photo] * VARIANTS
            if len(waiting) >= BATCH:
                images.append(embedded(backbone, waiting))
                waiting = []
    if waiting:
        images.append(embedded(backbone, waiting))
    return Bursts(ImageEmbeddings.concatenate(images), torch.tensor(labels), torch.tensor(photos))


def draw_bursts(
    bursts: Bursts, plain: Pool, n_classes: int, photos: int, shots: int, seed: str
) -> Task:
    """Support images from bursts of so many photos of each class; other photos as queries."""
    chance = random.Random(seed)
    support, columns, queries, truth = list[int](), list[int](), list[int](), list[int]()
    labels = chance.sample(sorted(set(bursts.labels.tolist())), n_classes)
    for column, label in enumerate(labels):
        chosen = torch.tensor(chance.sample(range(PHOTOS), photos))
        of_class = (bursts.labels == label) & torch.isin(bursts.photos, chosen)
        support += chance.sample(of_class.nonzero().flatten().tolist(), shots)
        others = plain.rows(label)[PHOTOS : PHOTOS + QUERIES]
        queries += others
        columns += [column] * shots
        truth += [column] * len(others)
    ids = torch.arange(len(support))
    return Task(
        plain.texts[labels],
        SupportSet(ids, torch.tensor(columns), bursts.embeddings[torch.tensor(support)]),
        plain.embeddings[torch.tensor(queries)],
        torch.tensor(truth),
    )


def draw_split(train: Pool, test: Pool, shots: int, seed: str) -> Task:
    """Support images from one split, queries from the other."""
    chance = random.Random(seed)
    support, columns = list[int](), list[int]()
    for label in range(len(train.texts)):
        rows = train.rows(label)
        chance.shuffle(rows)
        support += rows[:shots]
        columns += [label] * len(rows[:shots])
    queries = list(range(len(test.labels)))
    chance.shuffle(queries)
    asked = torch.tensor(queries[:MOST_QUERIES])
    ids = torch.arange(len(support))
    return Task(
        train.texts,
        SupportSet(ids, torch.tensor(columns), train.embeddings[torch.tensor(support)]),
        test.embeddings[asked],
        test.labels[asked],
    )


def tasks(
    pools: Mapping[str, Pool], bursts: Mapping[str, Bursts], shots: int, draws: int
) -> Iterator[tuple[str, Task]]:
    """Generic tasks of one size, by their form."""
    for style, one in pools.items():
        for n_classes in SIZES:
            for number in range(draws):
                seed = f"{style}/{n_classes}/{number}"
                yield style, draw(one, n_classes, shots, seed)
                scrambled = draw(one, n_classes, shots, f"scrambled/{seed}", scrambled=True)
                yield "scrambled names", scrambled
    for strength, some in bursts.items():
        for n_classes in SIZES:
            for photos in (2, 3, 5, 8):
                for number in range(draws):
                    seed = f"{n_classes}/{photos}/{number}"
                    task = draw_bursts(
                        some, pools["as it is"], n_classes, photos, shots, f"{strength}/{seed}"
                    )
                    yield f"bursts, {strength}", task


def held(task: Task, logit_scale: float) -> list[float]:
    """Share of the queries whose prediction set holds the true class, in %, for each asked.

    One tuning for all, with the thresholds that it would have set.
    """
    classes = ClassSet(torch.arange(len(task.texts)), task.texts)
    classifier = FewShotClassifier("auto", logit_scale).fit(classes, task.support)
    images = one_of_each_burst(task.support).labelled
    votes = Votes.of(classes.columns(images.labels), len(classes))
    head, tuning = classifier.head_, classifier.tuning
    logits = head.left_out(classes, images, tuning, votes.rows)
    own = head.probabilities(logits).gather(1, votes.targets.unsqueeze(1)).squeeze(1)
    given = classifier.answer(task.queries, 0).probabilities
    of_truth = given.gather(1, task.truth.unsqueeze(1)).squeeze(1)
    thresholds = [lower_quantile(own, 1 - asked) or 0.0 for asked in ASKED]
    return [100 * (of_truth >= threshold).float().mean().item() for threshold in thresholds]


def measured(
    pools: Mapping[str, Pool],
    bursts: Mapping[str, Bursts],
    sets: Mapping[str, tuple[Pool, Pool]],
    draws: int,
    logit_scale: float,
) -> dict[str, dict[int, list[float]]]:
    """By form and shots, mean of the tasks: coverage in % for each that is asked.

    And, last, in how many % of the support sets bursts were found.
    """
    found: dict[str, dict[int, list[list[float]]]] = {}
    for shots in SHOTS:
        of_sets = (
            (name, draw_split(*splits, shots, f"{name}{number}"))
            for name, splits in sets.items()
            for number in range(draws)
        )
        for form, task in (*tasks(pools, bursts, shots, draws), *of_sets):
            found_bursts = one_of_each_burst(task.support) is not task.support
            row = [*held(task, logit_scale), 100.0 * found_bursts]
            found.setdefault(form, {}).setdefault(shots, []).append(row)
    return {
        form: {
            shots: [mean(column) for column in zip(*rows, strict=True)]
            for shots, rows in by_shots.items()
        }
        for form, by_shots in found.items()
    }


def show(found: Mapping[str, Mapping[int, list[float]]]) -> None:
    """Print the table."""
    asked = ", ".join(f"{100 * share:.0f}" for share in ASKED)
    table = Table(
        f"held, of {asked} % asked (bursts found in %)", *(f"{shots} shots" for shots in SHOTS)
    )
    for form, by_shots in found.items():
        cells = (
            " / ".join(f"{value:.1f}" for value in by_shots[shots][:-1])
            + f" ({by_shots[shots][-1]:.0f})"
            for shots in SHOTS
        )
        table.add_row(form, *cells)
    Console(width=140).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", type=Path, nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    backbone = load_backbone("lite", "cpu")
    pools = pools_of(backbone, arguments.folder)
    bursts = {
        title: bursts_of(backbone, arguments.folder, strength)
        for title, strength in STRENGTHS.items()
    }
    sets = train_and_test(backbone, arguments.sets)
    found = measured(pools, bursts, sets, arguments.draws, backbone.logit_scale)
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
