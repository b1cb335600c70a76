"""Supervised training: a linear classifier on the adapted embedding."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from adapters.corrections.bottleneck import BottleneckAdapter
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.recipe import (
    AdapterObjective,
    Recipe,
    check_several,
    labelled_crops,
)
from adapters.training.objective import Objective


class Supervised(Objective):
    """Cross-entropy of a linear classifier (Kravets & Namboodiri, BMVC 2024).

    Only the adapter and the classifier learn; the classifier is thrown away afterwards.

    Args:
        encoder: Pixels to the (n, width) embedding that is compared with other images.
        adapter: Attached to it.
        width: Of the embedding.
        classes: How many there are.
    """

    frozen = ("encoder",)

    def __init__(
        self, encoder: nn.Module, adapter: BottleneckAdapter, width: int, classes: int
    ) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.adapter = adapter
        self.classifier = nn.Linear(width, classes)

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean cross-entropy.

        Args:
            batch: Pixels (n, 3, H, W), normalised, and the numbers of their classes (n,).
        """
        pixels, labels = batch
        return cross_entropy(self.classifier(self.encoder(pixels)), labels)


def _build(
    tower: Tower, adapter: BottleneckAdapter, classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    check_several(classes)
    objective = Supervised(tower.encoder, adapter, tower.width, len(classes))
    return AdapterObjective(objective, labelled_crops(tower), adapter)


RECIPE = Recipe(
    _build,
    epochs=1,
    batch=128,
    learning_rate=8e-3,
    weight_decay=0.01,
    warmup=0.05,
    needs_labels=True,
)
