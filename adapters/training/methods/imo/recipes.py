"""The objectives that an adapter can be trained with, by name, with their published settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.corrections.bottleneck import BottleneckAdapter, attach
from adapters.training.method import Preprocessing
from adapters.training.methods.imo.augmentation import many_crops, one_crop, plain_and_restyled
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.objectives.distillation import Distillation
from adapters.training.methods.imo.objectives.supervised import Supervised
from adapters.training.methods.imo.resolution import small_side
from adapters.training.objective import Objective
from adapters.training.training_errors import DataError


@dataclass(frozen=True, slots=True)
class AdapterObjective:
    """What a recipe makes.

    Attributes:
        objective: For the loop.
        preprocessing: Of the images.
        adapter: What is kept in the end.
    """

    objective: Objective
    preprocessing: Preprocessing
    adapter: BottleneckAdapter


@dataclass(frozen=True, slots=True)
class Recipe:
    """An objective with its published settings.

    Attributes:
        build: From a tower, an untrained adapter that is attached to it, the names of the
            classes and the number of epochs. Its random weights come from PyTorch's generator.
        epochs: Passes over the data.
        batch: Examples of a process before accumulation.
        learning_rate: Peak of the schedule.
        weight_decay: Of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        scaled_to: Examples in a step that the learning rate is for; it is scaled linearly to
            the ones there are (Goyal et al., 2017). None: it is for any number.
        needs_labels: Whether it matters which image is of which class.
    """

    build: Callable[[Tower, BottleneckAdapter, Sequence[str], int], AdapterObjective]
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup: float
    scaled_to: int | None = None
    needs_labels: bool = False

    def peak(self, images: int) -> float:
        """The learning rate for steps of so many images."""
        return self.learning_rate * (images / self.scaled_to if self.scaled_to else 1)


def _supervised(
    tower: Tower, adapter: BottleneckAdapter, classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    if len(classes) < 2:
        raise DataError(
            f"the data have {len(classes)} class ({', '.join(classes)}), and a "
            "classifier needs 2; give a folder with one folder a class or a table with "
            "a column of labels, or train without labels: --objective dino"
        )
    objective = Supervised(tower.encoder, adapter, tower.width, len(classes))
    inputs = Preprocessing(transform=one_crop(tower), side=2 * tower.size, labelled=True)
    return AdapterObjective(objective, inputs, adapter)


def _dino(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], epochs: int
) -> AdapterObjective:
    teacher = attach(tower.visual, adapter.config)
    objective = Dino(tower.encoder, adapter, teacher, tower.width, first_epoch=1 / epochs)
    crops = many_crops(tower, small_side(tower.encoder, tower.size))
    return AdapterObjective(objective, Preprocessing(transform=crops, side=2 * tower.size), teacher)


def _distillation(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    objective = Distillation(tower.encoder, adapter, tower.width)
    views = plain_and_restyled(tower)
    return AdapterObjective(objective, Preprocessing(transform=views, side=2 * tower.size), adapter)


RECIPES = {
    "supervised": Recipe(
        _supervised,
        epochs=1,
        batch=128,
        learning_rate=8e-3,
        weight_decay=0.01,
        warmup=0.05,
        needs_labels=True,
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
"""A new one is a module in ``objectives/``, a function that builds it, and its line here."""
