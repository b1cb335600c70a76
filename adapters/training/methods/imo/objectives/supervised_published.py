"""Supervised training to the letter: as the code of Kravets & Namboodiri (BMVC 2024) has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import dropout

from adapters.corrections.bottleneck import BottleneckAdapter
from adapters.training.method import Preprocessing
from adapters.training.methods.imo.augmentation import as_it_is
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.supervised import Supervised
from adapters.training.methods.imo.recipe import AdapterObjective, Recipe, check_several

DROPOUT = 0.1
"""Share of a bottleneck's values that are left out in training."""


def drop_within(adapter: BottleneckAdapter, share: float) -> None:
    """Leave out some of what each bottleneck passes on, after its ReLU, while it trains.

    Args:
        adapter: To be trained; its parameters and what it does afterwards stay as they are.
        share: Of the values, in [0, 1).
    """

    def drop(up: nn.Module, args: tuple[Any, ...]) -> Tensor:
        return dropout(args[0], share, up.training)

    for layer in adapter.layers:
        layer.get_submodule("up").register_forward_pre_hook(drop)


def _build(
    tower: Tower, adapter: BottleneckAdapter, classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    check_several(classes)
    drop_within(adapter, DROPOUT)
    objective = Supervised(tower.encoder, adapter, tower.width, len(classes))
    return AdapterObjective(
        objective, Preprocessing(transform=as_it_is(tower), labelled=True), adapter
    )


RECIPE = Recipe(
    _build,
    epochs=1,
    batch=128,
    learning_rate=8e-3,
    weight_decay=0.01,
    warmup=0,
    schedule="constant",
    decays="all",
    needs_labels=True,
)
