"""The protocol of all training methods: build, step (which is the loop's), export.

Tensors in, tensors out: a method sees a model and class names, its objective sees tensors. Images
and texts are read, and results are written, by whoever runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from PIL import Image
from torch import Tensor

from adapters.backbones import DualEncoder
from adapters.backbones.dual_encoder import Tokenizer
from adapters.training.loop import LoopSettings
from adapters.training.objective import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How an example becomes the tensors that the objective takes.

    Attributes:
        transform: The augmentation: an RGB image to tensors; draws from PyTorch's generator.
        side: Pixels; decoders may shrink an image as long as both sides are longer than this.
            None leaves images as large as they are.
        labelled: Whether the number of the class comes after the tensors of an image.
        tokenizer: n texts to (n, L) tokens, where an example is a pair of an image and a text.
    """

    transform: Callable[[Image.Image], tuple[Tensor, ...]]
    side: int | None = None
    labelled: bool = False
    tokenizer: Tokenizer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the record of a run tells beside the settings of the method.

    Attributes:
        data: What it was trained on.
        settings: Of the loop.
        processes: How many trained together.
        measured: What was measured before and after.
        ended: Steps, seconds, losses and versions.
    """

    data: Mapping[str, Any]
    settings: LoopSettings
    processes: int
    measured: Mapping[str, Any]
    ended: Mapping[str, Any]


class Trained(Protocol):
    """What was learned, in the format that its loader reads.

    Attributes:
        file_name: Of the file or folder, within the folder of a run.
        tensors: What was learned, by name.
    """

    @property
    def file_name(self) -> str:
        """See above."""
        ...

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """See above."""
        ...

    def save(self, path: Path, record: Mapping[str, Any]) -> None:
        """Write it, with the record of its training where the format has a place for it."""
        ...


class Training(ABC):
    """A method put together on a model, for one run.

    Attributes:
        objective: What the loop minimises.
        preprocessing: Of the examples.
        identity: What a state must be of to be resumed from, beside data and loop settings.
    """

    objective: Objective
    preprocessing: Preprocessing
    identity: Mapping[str, int | float | str]

    @abstractmethod
    def record(self, facts: RunFacts) -> dict[str, Any]:
        """The record of a run, as JSON can hold it."""

    @abstractmethod
    def export(self) -> Trained:
        """What was learned, once the loop has ended."""


class TrainingMethod(Protocol):
    """A training method with its configuration.

    A method of its own is a folder in :mod:`adapters.training.methods` with this in
    ``method.py``.
    """

    @property
    def seed(self) -> int:
        """Decides all that is random."""
        ...

    def loop_settings(self, examples: int, processes: int) -> LoopSettings:
        """The settings of the loop in each of some processes, for so many examples."""
        ...

    def build(self, encoder: DualEncoder, classes: Sequence[str]) -> Training:
        """Put the objective together on a model.

        Random weights come from PyTorch's generator, which the caller has seeded.

        Args:
            encoder: The model with its preprocessing and tokenizer.
            classes: Names of the classes of the examples; none where they have no classes.

        Raises:
            BackboneError: The method cannot be used with this model.
            TrainingError: It cannot be used with these classes.
        """
        ...
