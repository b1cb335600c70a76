"""Base-to-new generalisation (Zhou et al., *Conditional Prompt Learning*, CVPR 2022).

Prompts are trained on one half of the classes. Then test images of either half are told apart
among the classes of their own half.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adapters.backbones import Backbone
from service.datasets.dataset import Dataset, DatasetError, read_dataset
from service.datasets.features import Features
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Generalisation:
    """Base-to-new generalisation: zero-shot accuracies, by class texts alone, in [0, 1].

    Attributes:
        base: Of the classes that were trained on.
        novel: Of the others.
    """

    base: float
    novel: float

    @property
    def harmonic_mean(self) -> float:
        """Harmonic mean: ``2 · base · novel / (base + novel)``; 0 if both are."""
        total = self.base + self.novel
        return 2 * self.base * self.novel / total if total else 0.0

    def as_dict(self) -> dict[str, float]:
        """The three numbers."""
        return {"base": self.base, "novel": self.novel, "harmonic_mean": self.harmonic_mean}


def read_halves(folder: Path) -> tuple[Dataset, Dataset]:
    """Base and new classes: split a data set by its classes, in the order of their names.

    Args:
        folder: Holds ``train/CLASS/*`` and ``test/CLASS/*``.

    Returns:
        The first half of the classes, which is the larger one, and the second half.

    Raises:
        DatasetError: There are fewer than four classes, or a half has no test images.
    """
    dataset = read_dataset(folder)
    if len(dataset.labels) < 4:
        raise DatasetError(
            f"{folder} has {len(dataset.labels)} classes, and two halves to tell apart need 4; "
            "add classes, or leave out --base-to-novel"
        )
    middle = ceil(len(dataset.labels) / 2)
    halves = dataset.only(dataset.labels[:middle]), dataset.only(dataset.labels[middle:])
    for half in halves:
        if not half.queries:
            raise DatasetError(
                f"{folder / 'test'} has no images of {', '.join(half.labels)}; add some, or leave "
                "out --base-to-novel"
            )
    return halves


def generalisation(
    backbone: Backbone, base: Dataset, novel: Dataset, settings: Settings, console: Console
) -> Generalisation:
    """Base-to-new generalisation of a backbone: zero-shot accuracy on both halves.

    Args:
        backbone: With the prompts to be measured, if any; else its own templates are.
        base: The classes that were trained on, with test images.
        novel: The others.
        settings: For reading images.
        console: For the progress.
    """
    features = Features(backbone, settings, console)
    features.compute(example.path for half in (base, novel) for example in half.queries)
    return Generalisation(
        zero_shot_accuracy(backbone, base, features), zero_shot_accuracy(backbone, novel, features)
    )


def zero_shot_accuracy(backbone: Backbone, dataset: Dataset, features: Features) -> float:
    """Zero-shot accuracy: share of the test images whose class has the nearest text.

    Args:
        backbone: Encodes the class names.
        dataset: Its classes are those to choose from.
        features: Embeddings of its test images, made by the same backbone.
    """
    queries = dataset.queries
    images = features.of([example.path for example in queries]).frozen
    nearest = (images @ backbone.encode_classes(dataset.labels).T).argmax(dim=1)
    predicted: list[int] = nearest.tolist()
    correct = sum(
        dataset.labels[column] == example.label
        for column, example in zip(predicted, queries, strict=True)
    )
    return correct / len(queries)


def table(learned: Generalisation, written: Generalisation, template: str) -> Table:
    """Table of base-to-new generalisation, in %.

    Args:
        learned: With the trained prompts.
        written: With the hand-written ones.
        template: Of the hand-written ones.
    """
    shown = Table("prompts", "base", "novel", "harmonic mean", title="Accuracy in %")
    for name, measured in (("trained", learned), (template, written)):
        numbers = (measured.base, measured.novel, measured.harmonic_mean)
        shown.add_row(name, *(f"{100 * number:.1f}" for number in numbers))
    return shown
