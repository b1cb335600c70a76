"""Draws whose support images are suggested: chosen by MaxHerding within each class.

Each draw has a pool of its own, a random three quarters of the training images of each class, so
that draws differ. The random draw of the same seed is of the same pool.
"""

from __future__ import annotations

import torch

from adapters.herding import herd_classes
from service.datasets.dataset import Dataset, Example
from service.datasets.features import Features

#: Share of the training images of each class that are in the pool, rounded, but one at least.
POOLED = 0.75


def pool(dataset: Dataset, seed: int) -> list[Example]:
    """The pool of a draw, by class."""
    return [
        example
        for label in dataset.labels
        for example in dataset.only({label}).draw(
            max(1, round(POOLED * len(dataset.train[label]))), seed
        )
    ]


def suggested(dataset: Dataset, shots: int, seed: int, features: Features) -> list[Example]:
    """Suggested support images: what ``suggest`` chooses of a labelled pool, by class.

    Args:
        dataset: The classes to learn.
        shots: Of each class at most; fewer where the pool has no more but copies.
        seed: Decides the pool; a larger draw contains the smaller ones.
        features: Embeddings of the images of the pool.
    """
    examples = pool(dataset, seed)
    images = features.of([example.path for example in examples]).corrected
    columns = torch.tensor([dataset.labels.index(example.label) for example in examples])
    chosen = herd_classes(images, columns, images.new_full((len(images),), -1.0), shots).rows
    best_first = sorted(chosen.tolist(), key=lambda row: int(columns[row]))
    return [examples[row] for row in best_first]
