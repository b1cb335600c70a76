"""In which order examples come: decided by the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Sampler


class Turn(NamedTuple):
    """The turn of an example, by its number: what a data set is indexed with.

    All randomness of an example (crops, styles) comes from the seed of the data set and from
    this, so that a run can be resumed anywhere and does not depend on the number of workers.
    """

    example: int
    epoch: int


class Shuffled(Sampler[Turn]):
    """All examples of an epoch, shuffled.

    Args:
        length: Of the data set.
        seed: Decides the orders of all epochs.

    Attributes:
        skip: How many of an epoch were had already, before a run was resumed.
    """

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0
        self.skip = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Turn]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        for example in torch.randperm(self.length, generator=generator).tolist()[self.skip :]:
            yield Turn(example, self.epoch)

    def set_epoch(self, epoch: int) -> None:
        """Go to the order of an epoch."""
        self.epoch = epoch
