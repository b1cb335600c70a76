"""Labelled data set on disk, in two splits.

``DIR/train/CLASS/*`` to draw shots from, ``DIR/test/CLASS/*`` to measure.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from service.class_folders import ClassFolderError
from service.class_folders.on_disk import read_folder


class DatasetError(RuntimeError):
    """A data set is not laid out as needed; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Example:
    """Labelled example: an image file and its class."""

    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled data set with a training and a test split; classes in the order of their names.

    Attributes:
        name: Of the folder with the training images.
        labels: The classes; all have training images, and some of them test images.
        train: Training images of each class.
        test: Test images of each class; empty for some.
        queries_from: Name of the folder with the test images, where it is another one.
    """

    name: str
    labels: tuple[str, ...]
    train: dict[str, tuple[Path, ...]]
    test: dict[str, tuple[Path, ...]]
    queries_from: str | None = None

    @property
    def queries(self) -> list[Example]:
        """Queries: all test images with their classes."""
        return [Example(path, label) for label in self.labels for path in self.test[label]]

    def draw(self, shots: int, seed: int) -> list[Example]:
        """K-shot draw: ``shots`` training images of each class; all of them where there are fewer.

        The draw of a class depends on the seed and the class alone, and a larger draw
        contains the smaller ones.
        """
        drawn = []
        for label in self.labels:
            files = list(self.train[label])
            random.Random(f"{seed}/{label}").shuffle(files)  # noqa: S311 - not a secret
            drawn += [Example(path, label) for path in files[:shots]]
        return drawn

    def is_used_up(self, shots: int) -> bool:
        """Whether that many shots are all training images, so that all draws are the same."""
        return all(len(files) <= shots for files in self.train.values())

    def only(self, labels: Collection[str]) -> Dataset:
        """This data set with some of its classes."""
        chosen = tuple(label for label in self.labels if label in labels)
        return replace(
            self,
            labels=chosen,
            train={label: self.train[label] for label in chosen},
            test={label: self.test[label] for label in chosen},
        )


def read_dataset(folder: Path, queries_from: Path | None = None) -> Dataset:
    """List the images of a data set.

    Args:
        folder: Holds ``train`` and, unless the queries come from elsewhere, ``test``.
        queries_from: Take the test images from this folder's ``test`` instead. Classes are the
            same where their folders have the same name.

    Raises:
        DatasetError: A folder is missing or has no images, there are fewer than two classes, or
            folders do not tell them.
    """
    train = read_classes(folder / "train")
    tested = (queries_from or folder) / "test"
    test = read_classes(tested)
    if unknown := sorted(test.keys() - train.keys()):
        raise DatasetError(
            f"{tested} has classes without training images: {', '.join(unknown)}. Add images to "
            f"{folder / 'train'}/CLASS/, or take these folders out of {tested}."
        )
    check_several_classes(folder / "train", train)
    return Dataset(
        folder.resolve().name,
        tuple(sorted(train)),
        train,
        {label: test.get(label, ()) for label in train},
        None if queries_from is None else queries_from.resolve().name,
    )


def check_several_classes(folder: Path, classes: Collection[str]) -> None:
    """See that there are classes to tell apart.

    Raises:
        DatasetError: The folder holds one only.
    """
    if len(classes) < 2:
        raise DatasetError(f"{folder} has one class only; add a folder with images of another one")


def read_classes(folder: Path) -> dict[str, tuple[Path, ...]]:
    """List the images of each class of a folder (:mod:`service.class_folders.on_disk`).

    Raises:
        DatasetError: There is no such folder, it has no images, or it cannot be told of which
            class they are.
    """
    if not folder.is_dir():
        raise DatasetError(f"there is no folder {folder}; images belong in {folder}/CLASS/")
    try:
        files = read_folder(folder)
    except ClassFolderError as error:
        if any(entry.is_dir() for entry in folder.iterdir()):
            raise DatasetError(f"{folder}: {error}") from error
        raise DatasetError(
            f"{folder} has no images; they belong in {folder}/CLASS/: {error}"
        ) from error
    if not files:
        raise DatasetError(f"{folder} has no images; they belong in {folder}/CLASS/")
    classes: defaultdict[str, list[Path]] = defaultdict(list)
    for label, path in files:
        classes[label].append(path)
    return {label: tuple(sorted(paths)) for label, paths in classes.items()}
