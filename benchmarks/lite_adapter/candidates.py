"""What is tried: an objective with its settings, and the shape of the adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.objectives.distillation import Distillation
from adapters.training.methods.imo.objectives.relational import RelationalDistillation
from adapters.training.methods.imo.objectives.supervised import Supervised
from adapters.training.objective import Objective
from benchmarks.lite_adapter.relational import JointAlone, PooledAlone, Relational

LAST_BLOCKS, POOLED = (6, 7, 8, 9), 10
EVERY = (*LAST_BLOCKS, POOLED)
# Prototypes of DINO's head: as many as suit a few thousand images.
_PROTOTYPES = 4096

Build = Callable[[Tower, nn.Module, BottleneckAdapter, int], tuple[Objective, BottleneckAdapter]]
"""From the tower, what embeds cached features, an adapter that is attached to it and the number of
classes: what is minimised, and the adapter to keep."""


def _distillation(
    tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, _classes: int
) -> tuple[Objective, BottleneckAdapter]:
    return Distillation(encoder, adapter, tower.width), adapter


def _supervised(
    tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, classes: int
) -> tuple[Objective, BottleneckAdapter]:
    return Supervised(encoder, adapter, tower.width, classes), adapter


def _dino(
    tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, _classes: int
) -> tuple[Objective, BottleneckAdapter]:
    teacher = attach(tower.visual, adapter.config)
    # So few steps that the published momentum would leave the teacher where it begins.
    made = Dino(encoder, adapter, teacher, tower.width, outputs=_PROTOTYPES, momentum=0.98)
    return made, teacher


_AIMS: Mapping[str, type[Relational]] = {
    "both": Relational,
    "pooled": PooledAlone,
    "joint": JointAlone,
}


def relational(temperature: float = 0.1, teacher: float = 0.1, aim: str = "both") -> Build:
    """Relational distillation alone, with temperatures of its own; ``aim``: one of `_AIMS`."""

    def build(
        tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, _classes: int
    ) -> tuple[Objective, BottleneckAdapter]:
        made = _AIMS[aim](
            encoder,
            adapter,
            tower.width,
            tower.projection,
            temperature=temperature,
            teacher=teacher,
        )
        return made, adapter

    return build


def together(share: float) -> Build:
    """Distillation, with a share of relational distillation."""

    def build(
        tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, _classes: int
    ) -> tuple[Objective, BottleneckAdapter]:
        made = RelationalDistillation(encoder, adapter, tower.width, tower.projection, share)
        return made, adapter

    return build


@dataclass(frozen=True)
class Candidate:
    """What is tried.

    Attributes:
        build: Makes the objective.
        views: Of an image: ``pair`` (plain, restyled), ``labelled`` (a crop with its class) or
            ``crops`` (two large ones).
        places: Of the adapter, beside its scale and width.
        epochs: Passes over the images, with the learning rate and images in a step.
    """

    build: Build
    views: str = "pair"
    places: tuple[int, ...] = EVERY
    scale: float = 0.5
    width: int = 64
    epochs: int = 2
    learning_rate: float = 2e-3
    batch: int = 64

    @property
    def config(self) -> BottleneckConfig:
        """The shape of the adapter."""
        return BottleneckConfig(self.width, self.scale, self.places)


_OURS = Candidate(relational())
_SUPERVISED = Candidate(_supervised, "labelled", LAST_BLOCKS, scale=0.1, epochs=1)
CANDIDATES: Mapping[str, Candidate] = {
    "distillation": Candidate(_distillation, places=LAST_BLOCKS),
    "relational": _OURS,
    "relational, temperatures 0.2": replace(_OURS, build=relational(0.2, 0.2)),
    "relational, temperatures 0.05": replace(_OURS, build=relational(0.05, 0.05)),
    "relational, not behind pooling": replace(_OURS, places=LAST_BLOCKS),
    "supervised": _SUPERVISED,
    "DINO": Candidate(_dino, "crops", LAST_BLOCKS, scale=0.1, epochs=4, learning_rate=8e-4),
    "relational, behind pooling alone": replace(_OURS, places=(POOLED,)),
    "relational, towards the joint alone": replace(_OURS, build=relational(aim="joint")),
    "relational, towards the pooled alone": replace(_OURS, build=relational(aim="pooled")),
    "relational, temperatures 0.3 and 0.2": replace(_OURS, build=relational(0.3, 0.2)),
    "relational, temperatures 0.1 and 0.2": replace(_OURS, build=relational(0.1, 0.2)),
    "relational, last layer and behind": replace(_OURS, places=(9, POOLED)),
    "relational, width 16": replace(_OURS, width=16),
    "relational, width 24": replace(_OURS, width=24),
    "relational, width 32": replace(_OURS, width=32),
    "relational, width 32, 4 epochs": replace(_OURS, width=32, epochs=4),
    "relational, width 32, temperatures 0.2": replace(_OURS, build=relational(0.2, 0.2), width=32),
    "relational, width 128": replace(_OURS, width=128),
    "relational, scale 0.1": replace(_OURS, scale=0.1),
    "relational, 4 epochs": replace(_OURS, epochs=4),
    "distillation, a tenth relational": replace(_OURS, build=together(0.1)),
    "distillation, a third relational": replace(_OURS, build=together(0.3)),
    "distillation and relational": replace(_OURS, build=together(1.0)),
    "distillation and relational, 4 epochs": replace(_OURS, build=together(1.0), epochs=4),
    "distillation and 3 relational": replace(_OURS, build=together(3.0)),
    "distillation and 3 relational, 5 epochs": replace(_OURS, build=together(3.0), epochs=5),
    "distillation and relational, width 32": replace(_OURS, build=together(1.0), width=32),
    "supervised, as published": replace(_SUPERVISED, scale=0.03, learning_rate=8e-3, batch=128),
    "distillation, also behind pooling": Candidate(_distillation),
}
