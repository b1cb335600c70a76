"""A recipe: an objective for an adapter with the settings that it is trained by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig
from adapters.training.method import Preprocessing
from adapters.training.methods.imo.augmentation import one_crop, plain_and_restyled
from adapters.training.methods.imo.model import Tower
from adapters.training.objective import Objective
from adapters.training.optimiser import Decays
from adapters.training.schedule import Schedule
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
    """An objective with the settings that it is trained by, unless others are given.

    Attributes:
        build: From a tower, an untrained adapter that is attached to it, the names of the
            classes and the number of epochs. Its random weights come from PyTorch's generator.
        epochs: Passes over the data.
        batch: Examples of a process before accumulation.
        learning_rate: Peak of the schedule.
        weight_decay: Of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        schedule: Of the learning rate.
        lowest_rate: Of schedules that end with one.
        decays: Which parameters decay.
        last_decay: Weight decay that a run ends with; None: that of its beginning.
        adapter: Width, scale and places.
        seed: Decides every random draw.
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
    schedule: Schedule = "cosine"
    lowest_rate: float = 0.0
    decays: Decays = "matrices"
    last_decay: float | None = None
    adapter: BottleneckConfig = field(default_factory=BottleneckConfig)
    seed: int = 0
    scaled_to: int | None = None
    needs_labels: bool = False

    def peak(self, images: int) -> float:
        """The learning rate for steps of so many images."""
        return self.learning_rate * (images / self.scaled_to if self.scaled_to else 1)


def labelled_crops(tower: Tower) -> Preprocessing:
    """One crop of each image, with the number of its class."""
    return Preprocessing(transform=one_crop(tower), side=2 * tower.size, labelled=True)


def restyled_pairs(tower: Tower) -> Preprocessing:
    """Each image as the service would see it, and a restyled crop of it."""
    return Preprocessing(transform=plain_and_restyled(tower), side=2 * tower.size)


def check_several(classes: Sequence[str]) -> None:
    """See that there is something to tell apart.

    Raises:
        DataError: There are fewer than two classes.
    """
    if len(classes) < 2:
        raise DataError(
            f"the data have {len(classes)} class ({', '.join(classes)}), and a "
            "classifier needs 2; give a folder with one folder a class or a table with "
            "a column of labels, or train without labels: --objective dino"
        )
