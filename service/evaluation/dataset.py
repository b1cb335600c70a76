"""A data set on disk: ``DIR/train/CLASS/*`` to draw shots from, ``DIR/test/CLASS/*`` to measure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path


class DatasetError(RuntimeError):
    """The folder is not laid out as needed; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Example:
    """An image file and its class."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Classes in the order of their names, with the files of both splits."""

    name: str
    labels: tuple[str, ...]
    train: dict[str, tuple[Path, ...]]
    test: dict[str, tuple[Path, ...]]

    @property
    def queries(self) -> list[Example]:
        """All test images."""
        return [Example(path, label) for label in self.labels for path in self.test[label]]

    def draw(self, shots: int, seed: int) -> list[Example]:
        """Draw ``shots`` training images of each class; all of them where there are fewer.

        The draw of a class depends on the seed and the class alone, and a larger draw
        contains the smaller ones.
        """
        drawn = []
        for label in self.labels:
            files = list(self.train[label])
            random.Random(f"{seed}/{label}").shuffle(files)  # noqa: S311 - not a secret
            drawn += [Example(path, label) for path in files[:shots]]
        return drawn


def read_dataset(folder: Path) -> Dataset:
    """List the images of a data set; hidden files are left out.

    Raises:
        DatasetError: A folder is missing or has no images.
    """
    train = _split(folder, "train")
    test = _split(folder, "test")
    if unknown := sorted(test.keys() - train.keys()):
        raise DatasetError(
            f"{folder / 'test'} has classes without training images: {', '.join(unknown)}"
        )
    labels = tuple(sorted(train))
    if not any(test.values()):
        raise DatasetError(f"{folder / 'test'} has no images")
    return Dataset(
        folder.resolve().name, labels, train, {label: test.get(label, ()) for label in labels}
    )


def _split(folder: Path, split: str) -> dict[str, tuple[Path, ...]]:
    if not (folder / split).is_dir():
        raise DatasetError(
            f"there is no folder {folder / split}; images belong in {folder}/train/CLASS/ and "
            f"{folder}/test/CLASS/"
        )
    classes = {
        entry.name: tuple(
            sorted(p for p in entry.iterdir() if p.is_file() and not p.name.startswith("."))
        )
        for entry in (folder / split).iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    }
    classes = {label: files for label, files in classes.items() if files}
    if not classes:
        raise DatasetError(f"{folder / split} has no images in class folders")
    return classes
