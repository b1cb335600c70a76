"""One split of a labelled data set: ``DIR/train/CLASS``, ``DIR/test/CLASS`` or ``DIR/CLASS``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapters.systematic_sampling import evenly
from service.datasets.dataset import DatasetError, check_several_classes, read_classes

SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class LabelledSplit:
    """Image files of one split with their classes.

    Attributes:
        name: Of the folder.
        split: ``train`` or ``test``; None where the folder holds the classes itself.
        labels: The classes, by name.
        files: The images.
        columns: The class of each, as its index in ``labels``.
    """

    name: str
    split: str | None
    labels: tuple[str, ...]
    files: tuple[Path, ...]
    columns: tuple[int, ...]

    @property
    def described(self) -> str:
        """``eurosat/train: 320 images of 10 classes``."""
        where = self.name if self.split is None else f"{self.name}/{self.split}"
        return f"{where}: {len(self.files)} images of {len(self.labels)} classes"

    @classmethod
    def read(cls, folder: Path, split: str | None = None, limit: int | None = None) -> Self:
        """List the images of a split.

        Args:
            folder: Holds ``train`` or ``test``, or the folders of the classes.
            split: Which of the two; without it ``train``, or ``test`` if there is no other.
            limit: At most so many images a class, spread evenly over their names.

        Raises:
            DatasetError: There are no images, or no pairs of images to compare.
        """
        splits = [name for name in SPLITS if _has_folders(folder / name)]
        if split is not None and split not in splits and folder.is_dir():
            other = f"; there is {splits[0]}" if splits else ", or leave out --split for DIR/CLASS/"
            raise DatasetError(f"{folder} has no folder {split}/CLASS/{other}")
        if split is None and splits:
            split = splits[0]
        where = folder if split is None else folder / split
        classes = read_classes(where)
        check_several_classes(where, classes)
        if all(len(files) < 2 for files in classes.values()):
            raise DatasetError(
                f"no class in {where} has two images to compare; add a second one to some of them"
            )
        labels = tuple(sorted(classes))
        chosen = {
            label: [classes[label][i] for i in evenly(len(classes[label]), limit or 1 << 62)]
            for label in labels
        }
        return cls(
            folder.resolve().name,
            split,
            labels,
            tuple(file for label in labels for file in chosen[label]),
            tuple(column for column, label in enumerate(labels) for _ in chosen[label]),
        )


def _has_folders(folder: Path) -> bool:
    """Whether there are classes in it; a class may be called ``train``, and holds files."""
    return folder.is_dir() and any(
        entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir()
    )
