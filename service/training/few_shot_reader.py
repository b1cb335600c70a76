"""A few training images of each class, drawn from a folder of classes."""

from __future__ import annotations

from pathlib import Path

from service.datasets.dataset import Dataset, DatasetError, read_classes
from service.training.training_images import FewShotImages


def read_training(folder: Path) -> Dataset:
    """List the training images of a folder; what is under ``test`` is left out.

    Args:
        folder: Holds ``train/CLASS/*`` or ``CLASS/*``.

    Raises:
        DatasetError: There are no images, or fewer than two classes.
    """
    split = folder / "train"
    where = split if split.is_dir() else folder
    train = read_classes(where)
    if len(train) < 2:
        raise DatasetError(f"{where} has one class only; add a folder with images of another one")
    labels = tuple(sorted(train))
    return Dataset(folder.resolve().name, labels, train, dict.fromkeys(labels, ()))


def draw_shots(dataset: Dataset, shots: int, seed: int) -> FewShotImages:
    """Draw images of each class.

    Args:
        dataset: With the training images.
        shots: Images a class; all of them where there are fewer.
        seed: Decides the draw.
    """
    drawn = dataset.draw(shots, seed)
    number = {label: i for i, label in enumerate(dataset.labels)}
    return FewShotImages(
        tuple(example.path for example in drawn),
        tuple(number[example.label] for example in drawn),
        dataset.labels,
        dataset.name,
        shots,
    )
