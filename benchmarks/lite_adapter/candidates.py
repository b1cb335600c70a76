"""What is tried: an objective with its settings, and the shape of the adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.objectives.distillation import Distillation
from adapters.training.methods.imo.objectives.supervised import Supervised
from adapters.training.objective import Objective
from benchmarks.lite_adapter.relational import Relational

LAST_BLOCKS, POOLED = (6, 7, 8, 9), 10
EVERY = (*LAST_BLOCKS, POOLED)
# Prototypes of DINO's head: as many as suit a few thousand images.
_PROTOTYPES = 4096

Build = Callable[[Tower, nn.Module, BottleneckAdapter, int], tuple[Objective, BottleneckAdapter]]
"""From the tower, what embeds cached features, an adapter that is attached to it and the number of
classes: what is minimised, and the adapter to keep."""


class JointAlone(Relational):
    """Aims at what the projection makes of the frozen embedding, and at that alone."""

    @torch.no_grad()
    def likeness(self, frozen: Tensor) -> Tensor:
        """The (n, n) cosines that are aimed at."""
        rows = normalize(self.projection(frozen).float(), dim=-1)
        rows = normalize(rows - rows.mean(dim=0), dim=-1)
        return rows @ rows.T


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


def relational(temperature: float = 0.1, teacher: float = 0.1, aim: str = "both") -> Build:
    """Relational distillation with temperatures of its own; ``aim``: both, pooled or joint."""

    def build(
        tower: Tower, encoder: nn.Module, adapter: BottleneckAdapter, _classes: int
    ) -> tuple[Objective, BottleneckAdapter]:
        kind = JointAlone if aim == "joint" else Relational
        projection = nn.Identity() if aim == "pooled" else tower.visual.get_submodule("head")
        return kind(encoder, adapter, projection, temperature, teacher), adapter

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
    "supervised, as published": replace(_SUPERVISED, scale=0.03, learning_rate=8e-3, batch=128),
    "distillation, also behind pooling": Candidate(_distillation),
}
