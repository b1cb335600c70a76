"""Cuts: which images are learned from, and which classes an adapter is judged on."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adapters.training.order import Turn
from benchmarks.lite_adapter.cache import CROPS, VIEWS, Cached
from benchmarks.lite_adapter.groups import BROAD

HELD_OUT, HELD_OUT_SINGLE = 0.4, 0.5
"""Shares of the classes of many images, and of those of one image, that nothing is learned from."""


@dataclass(frozen=True)
class Cut:
    """A cut of the generic images, by class.

    Attributes:
        learned: Rows that are learned from.
        fine: Rows of the held-out classes of many images, and the class of each.
        broad: Rows of the held-out images that are alone in their class, and the group of each.
    """

    learned: Tensor
    fine: tuple[Tensor, Tensor]
    broad: tuple[Tensor, Tensor]


def cut(images: Cached, seed: int) -> Cut:
    """Hold classes out by a seed."""
    chance = random.Random(seed)
    single = sorted(name for name in images.classes if re.fullmatch(r"n\d{8}", name))
    group = {single[i]: g for g, numbers in enumerate(BROAD.values()) for i in numbers}
    many = sorted(set(images.classes) - set(single))
    held = {
        *chance.sample(many, round(HELD_OUT * len(many))),
        *chance.sample(single, round(HELD_OUT_SINGLE * len(single))),
    }
    learned: list[int] = []
    fine: list[tuple[int, int]] = []
    broad: list[tuple[int, int]] = []
    alone = set(single)
    for row, label in enumerate(images.labels.tolist()):
        name = images.classes[label]
        if name not in held:
            learned.append(row)
        elif name not in alone:
            fine.append((row, label))
        elif name in group:
            broad.append((row, group[name]))
    return Cut(torch.tensor(learned), _columns(fine), _columns(broad))


def _columns(pairs: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    rows, labels = zip(*pairs, strict=True)
    return torch.tensor(rows), torch.tensor(labels)


class Examples:
    """Views of the images of a cut, as their features in front of place 6, for the loop.

    Args:
        images: All of them.
        rows: Of those that are learned from.
        views: As of a `Candidate`.
    """

    def __init__(self, images: Cached, rows: Tensor, views: str) -> None:
        self.images, self.rows, self.views = images, rows.tolist(), views
        labels = images.labels[rows].tolist()
        columns = {label: column for column, label in enumerate(sorted(set(labels)))}
        self.classes, self.columns = len(columns), torch.tensor([columns[i] for i in labels])

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.rows)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        """The features of an image's views, with what else the objective takes."""
        row = self.rows[turn.example]
        chance = random.Random(f"{row}/{turn.epoch}")
        if self.views == "labelled":
            return self._view(row, chance.randint(1, CROPS)), self.columns[turn.example]
        if self.views == "crops":
            two = chance.sample(range(1, VIEWS), 2)
            return (torch.stack([self._view(row, view) for view in two]),)
        return self._view(row, 0), self._view(row, chance.randrange(1 + CROPS, VIEWS))

    def _view(self, row: int, view: int) -> Tensor:
        return torch.from_numpy(self.images.features[row, view].astype(np.float32))
