"""Tasks of several labels: classes, support images with all their labels, and queries."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.multi_label.mosaics import LAYOUTS, Mosaic, drawn_mosaic
from benchmarks.super_classes import SUPER_CLASSES

#: Images of a class that may support; the others ask.
MOST_SHOTS = 16
QUERIES = 100
SIZES = (5, 20, 50)
#: What support images show: a class each, or several at once with all their labels.
KINDS = ("singles", "mosaics")


@dataclass(frozen=True)
class Source:
    """Pictures by their classes, and others that show none of them."""

    name: str
    classes: Mapping[str, Sequence[Path]]
    others: Sequence[Path]


@dataclass(frozen=True)
class MosaicTask:
    """A task before it is embedded.

    Attributes:
        source: What its pictures are of.
        names: Of the N classes.
        support: By :data:`KINDS`, rounds of support images; each round shows each class once.
        queries: With what each shows.
        scrambled: Whether the names are to be told to the wrong classes.
    """

    source: str
    names: list[str]
    support: dict[str, list[list[Mosaic]]]
    queries: list[Mosaic]


def sources(generic: Path) -> list[Source]:
    """Caltech-101, and super-classes of ImageNet with an image of each of its classes."""
    caltech = {
        folder.name: sorted(folder.iterdir())
        for folder in sorted((generic / "caltech101").iterdir())
        if folder.is_dir()
    }
    folders = sorted((generic / "imagenet_one_per_class").iterdir())
    files = [next(iter(sorted(folder.iterdir()))) for folder in folders]
    taken = {index for indices in SUPER_CLASSES.values() for index in indices}
    supers = {name: [files[i] for i in indices] for name, indices in SUPER_CLASSES.items()}
    rest = [file for i, file in enumerate(files) if i not in taken]
    return [Source("Caltech-101", caltech, []), Source("super-classes", supers, rest)]


def measuring_source(folder: Path) -> Source:
    """A labelled folder with ``train`` and ``test``; all its classes may be in a task."""
    return Source(
        folder.name,
        {
            one.name: [*sorted(one.iterdir()), *sorted((folder / "test" / one.name).iterdir())]
            for one in sorted((folder / "train").iterdir())
            if (folder / "test" / one.name).is_dir()
        },
        [],
    )


def drawn_tasks(source: Source, draws: int, sizes: Sequence[int] = SIZES) -> Iterator[MosaicTask]:
    """Tasks of all sizes that leave classes over, whose pictures are of nothing in the task."""
    for size in sizes:
        for number in range(draws):
            if size <= len(source.classes) - (0 if source.others else 2):
                yield _drawn(source, size, random.Random(f"{source.name}/{size}/{number}"))


def _drawn(source: Source, size: int, chance: random.Random) -> MosaicTask:
    names = chance.sample(sorted(source.classes), size)
    support: list[list[Path]] = []
    asking: list[list[Path]] = []
    for name in names:
        files = list(source.classes[name])
        chance.shuffle(files)
        half = min(MOST_SHOTS, (len(files) + 1) // 2)
        support.append(files[:half])
        asking.append(files[half:])
    strange = [f for name in source.classes if name not in names for f in source.classes[name]]
    strange = [*source.others, *strange]
    chance.shuffle(strange)
    middle = len(strange) // 2
    rounds = [
        _round([files[i % len(files)] for files in support], strange[:middle], chance)
        for i in range(MOST_SHOTS)
    ]
    singles = [
        [_single(column, files[i]) for column, files in enumerate(support) if i < len(files)]
        for i in range(MOST_SHOTS)
    ]
    queries = [_query(asking, strange[middle:], chance) for _ in range(QUERIES)]
    return MosaicTask(source.name, names, {"singles": singles, "mosaics": rounds}, queries)


def _single(column: int, file: Path) -> Mosaic:
    return Mosaic((file,), 1, 0, "black", False, frozenset({column}))


def _layout(chance: random.Random, least: int = 1) -> tuple[int, int]:
    fit = [layout for layout in LAYOUTS if layout[0] * layout[1] >= least]
    return chance.choices(fit, [LAYOUTS[layout] for layout in fit])[0]


def _round(files: Sequence[Path], others: Sequence[Path], chance: random.Random) -> list[Mosaic]:
    """Mosaics that show each class once between them."""
    left = list(range(len(files)))
    chance.shuffle(left)
    mosaics = []
    while left:
        layout = _layout(chance)
        many = chance.randint(1, min(layout[0] * layout[1], 5))
        some, left = left[:many], left[many:]
        mosaics.append(drawn_mosaic({c: files[c] for c in some}, others, layout, chance))
    return mosaics


def _query(
    asking: Sequence[Sequence[Path]], others: Sequence[Path], chance: random.Random
) -> Mosaic:
    """What it shows are up to five of the classes, and in one query of eight none."""
    layout = _layout(chance)
    cells = layout[0] * layout[1]
    many = 0 if chance.random() < 0.125 else chance.randint(1, min(cells, 5, len(asking)))
    columns = chance.sample(range(len(asking)), many)
    shown = {column: chance.choice(asking[column]) for column in columns}
    return drawn_mosaic(shown, others, layout, chance)


def targets(mosaics: Sequence[Mosaic], n_classes: int) -> Tensor:
    """(n, N) bool: which classes each shows."""
    shown = torch.zeros(len(mosaics), n_classes, dtype=torch.bool)
    for row, one in enumerate(mosaics):
        shown[row, sorted(one.shows)] = True
    return shown
