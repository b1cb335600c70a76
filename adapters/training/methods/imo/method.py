"""IMO: a bottleneck adapter against intra-modal overlap, as a training method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adapters.backbones import DualEncoder
from adapters.corrections.bottleneck import BottleneckConfig, attach, tower_fingerprint
from adapters.training.adapter_export import TrainedAdapter
from adapters.training.loop import LoopSettings
from adapters.training.method import RunFacts, Training
from adapters.training.methods.imo.config import ImoConfig
from adapters.training.methods.imo.model import image_tower
from adapters.training.methods.imo.recipe import Recipe
from adapters.training.methods.imo.recipes import RECIPES


@dataclass(frozen=True, slots=True)
class ImoMethod:
    """Adapter training (Kravets & Namboodiri, BMVC 2024), by one of the `RECIPES`.

    Attributes:
        config: Of the run.
    """

    config: ImoConfig

    @property
    def seed(self) -> int:
        """Decides all that is random."""
        return self.recipe.seed if self.config.seed is None else self.config.seed

    @property
    def recipe(self) -> Recipe:
        """The objective's builder and its settings."""
        return RECIPES[self.config.objective]

    @property
    def adapter(self) -> BottleneckConfig:
        """Width, scale and places of the adapter."""
        return self.config.adapter or self.recipe.adapter

    @property
    def epochs(self) -> int:
        """Passes over the data."""
        return self.config.epochs or self.recipe.epochs

    def loop_settings(self, _examples: int, processes: int) -> LoopSettings:
        """The settings of the recipe, or those that were given."""
        given, recipe = self.config, self.recipe
        batch = given.batch or recipe.batch
        return LoopSettings(
            epochs=self.epochs,
            batch=batch,
            accumulate=given.accumulate,
            learning_rate=given.learning_rate or recipe.peak(batch * given.accumulate * processes),
            weight_decay=recipe.weight_decay,
            warmup=recipe.warmup,
            schedule=recipe.schedule,
            lowest_rate=recipe.lowest_rate,
            decays=recipe.decays,
            last_decay=recipe.last_decay,
            precision=given.precision,
            workers=given.workers,
            seed=self.seed,
        )

    def build(self, encoder: DualEncoder, classes: Sequence[str]) -> ImoTraining:
        """Attach an untrained adapter to the frozen image tower.

        Raises:
            NoInsertionPointError: The tower has no blocks for the adapter.
            DataError: The objective needs more classes.
        """
        return ImoTraining(self, encoder, classes)


class ImoTraining(Training):
    """An adapter in training; see `ImoMethod.build`."""

    def __init__(self, method: ImoMethod, encoder: DualEncoder, classes: Sequence[str]) -> None:
        self.method = method
        self.backbone = encoder.name
        tower = image_tower(encoder)
        self.fingerprint = tower_fingerprint(tower.visual)
        adapter = attach(tower.visual, method.adapter)
        made = method.recipe.build(tower, adapter, classes, method.epochs)
        self.objective, self.preprocessing = made.objective, made.preprocessing
        self.adapter = made.adapter
        self.identity = {
            "objective": method.config.objective,
            "tower": self.fingerprint,
            "adapter": str(method.adapter),
        }

    def record(self, facts: RunFacts) -> dict[str, Any]:
        """The record of a run, as JSON can hold it."""
        loop = {
            name: value
            for name, value in asdict(facts.settings).items()
            if name not in {"workers", "save_every"}
        }
        return {
            "objective": self.method.config.objective,
            "backbone": self.backbone,
            "adapter": self.method.adapter.as_dict(),
            "data": facts.data,
            "processes": facts.processes,
            **loop,
            **facts.ended,
        }

    def export(self) -> TrainedAdapter:
        """The adapter; with DINO that of the teacher."""
        return TrainedAdapter(self.adapter, self.backbone, self.fingerprint)
