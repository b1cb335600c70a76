"""The objectives that an adapter can be trained with, by name, with their published settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.corrections.bottleneck import BottleneckAdapter, attach
from adapters.training.labelled import Labelled
from adapters.training.loop import LoopSettings
from adapters.training.methods.imo.augmentation import many_crops, one_crop, plain_and_restyled
from adapters.training.methods.imo.dino import Dino
from adapters.training.methods.imo.distillation import Distillation
from adapters.training.methods.imo.resolution import small_side
from adapters.training.methods.imo.supervised import Supervised
from adapters.training.methods.imo.tower import Tower
from adapters.training.objective import Objective
from adapters.training.pictures import Pictures
from adapters.training.reading import ReadImage


@dataclass(frozen=True, slots=True)
class Run:
    """What a recipe makes.

    Attributes:
        objective: For the loop.
        examples: For the loop, too.
        adapter: What is kept in the end.
    """

    objective: Objective
    examples: Pictures
    adapter: BottleneckAdapter


@dataclass(frozen=True, slots=True)
class Recipe:
    """An objective with its published settings.

    Attributes:
        build: Puts a run together on a tower with an untrained adapter attached. Its random
            weights come from PyTorch's generator.
        epochs: Passes over the data.
        batch: Examples of a process before accumulation.
        learning_rate: Peak of the schedule.
        weight_decay: Of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        scaled_to: Examples in a step that the learning rate is for; it is scaled linearly to
            the ones there are (Goyal et al., 2017). None: it is for any number.
    """

    build: Callable[[Tower, BottleneckAdapter, Labelled, ReadImage, LoopSettings], Run]
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup: float
    scaled_to: int | None = None

    def peak(self, images: int) -> float:
        """The learning rate for steps of so many images."""
        return self.learning_rate * (images / self.scaled_to if self.scaled_to else 1)


def _supervised(
    tower: Tower,
    adapter: BottleneckAdapter,
    data: Labelled,
    read: ReadImage,
    settings: LoopSettings,
) -> Run:
    data.require_classes()
    objective = Supervised(tower.encoder, adapter, tower.width, len(data.classes))
    pictures = Pictures(
        data, one_crop(tower), read=read, seed=settings.seed, side=2 * tower.size, labelled=True
    )
    return Run(objective, pictures, adapter)


def _dino(
    tower: Tower,
    adapter: BottleneckAdapter,
    data: Labelled,
    read: ReadImage,
    settings: LoopSettings,
) -> Run:
    teacher = attach(tower.visual, adapter.config)
    objective = Dino(tower.encoder, adapter, teacher, tower.width, first_epoch=1 / settings.epochs)
    crops = many_crops(tower, small_side(tower.encoder, tower.size))
    pictures = Pictures(
        data, crops, read=read, seed=settings.seed, side=2 * tower.size, labelled=False
    )
    return Run(objective, pictures, teacher)


def _distillation(
    tower: Tower,
    adapter: BottleneckAdapter,
    data: Labelled,
    read: ReadImage,
    settings: LoopSettings,
) -> Run:
    objective = Distillation(tower.encoder, adapter, tower.width)
    views = plain_and_restyled(tower)
    pictures = Pictures(
        data, views, read=read, seed=settings.seed, side=2 * tower.size, labelled=False
    )
    return Run(objective, pictures, adapter)


RECIPES = {
    "supervised": Recipe(
        _supervised, epochs=1, batch=128, learning_rate=8e-3, weight_decay=0.01, warmup=0.05
    ),
    # Three processes of 40 images each, as the authors ran it, are one of 120.
    "dino": Recipe(
        _dino,
        epochs=10,
        batch=120,
        learning_rate=8e-4,
        weight_decay=0.04,
        warmup=0.2,
        scaled_to=256,
    ),
    # Ours; chosen on generic images, see docs/lite.md.
    "distillation": Recipe(
        _distillation, epochs=5, batch=64, learning_rate=2e-3, weight_decay=0.01, warmup=0.1
    ),
}
"""A new one needs a function that builds its run, and its line here."""
