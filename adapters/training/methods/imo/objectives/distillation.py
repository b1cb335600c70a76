"""Distillation: images keep the neighbours that they had, in whatever style they come."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from adapters.corrections.bottleneck import BottleneckAdapter
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.recipe import AdapterObjective, Recipe, restyled_pairs
from adapters.training.objective import Objective

TEMPERATURE = 0.05
MEMORY = 4096


class Distillation(Objective):
    """The adapted tower sees a restyled image as the frozen one sees the image itself.

    What is compared are similarities: a softmax over the cosines with images seen before
    (similarity distillation as in SEED, Fang et al., ICLR 2021; the teacher here is the tower
    itself, and what differs is the image). No labels, and nothing pulls images of a
    class together, so that classes which the data do not know stay apart.

    Cosines are taken between embeddings less the mean of those in memory.

    Args:
        encoder: Pixels to the (n, width) embedding that is compared with other images.
        adapter: Attached to it.
        width: Of the embedding.
        memory: How many images are remembered to compare with.
        temperature: Of both softmaxes.
    """

    frozen: Sequence[str] = ("encoder",)

    def __init__(
        self,
        encoder: nn.Module,
        adapter: BottleneckAdapter,
        width: int,
        memory: int = MEMORY,
        temperature: float = TEMPERATURE,
    ) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.adapter = adapter
        self.temperature = temperature
        self.memory: Tensor
        self.register_buffer("memory", torch.zeros(memory, width))
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean cross-entropy between the similarities of both.

        Args:
            batch: The images (n, 3, H, W) and the same ones restyled, both normalised.
        """
        plain, restyled = batch
        with torch.no_grad(), self.adapter.frozen():
            target = self.encoder(plain)
        return self.distilled(target, self.encoder(restyled))

    def distilled(self, frozen: Tensor, restyled: Tensor) -> Tensor:
        """Return that cross-entropy, and remember the images.

        Args:
            frozen: (n, width) embeddings that the frozen tower has of the images; no gradient.
            restyled: Those that the adapted one has of them restyled.
        """
        target = normalize(frozen.float(), dim=-1)
        found = normalize(restyled.float(), dim=-1)
        known = torch.cat([target, self.memory[: int(self.seen)]])
        centre = known.mean(dim=0)
        known = normalize(known - centre, dim=-1)
        wanted = (normalize(target - centre, dim=-1) @ known.T / self.temperature).softmax(dim=-1)
        loss = cross_entropy(normalize(found - centre, dim=-1) @ known.T / self.temperature, wanted)
        if self.training:
            self._remember(target)
        return loss

    @torch.no_grad()
    def _remember(self, embeddings: Tensor) -> None:
        kept = torch.cat([embeddings, self.memory])[: len(self.memory)]
        self.memory.copy_(kept)
        self.seen.fill_(min(int(self.seen) + len(embeddings), len(self.memory)))


def _build(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    objective = Distillation(tower.encoder, adapter, tower.width)
    return AdapterObjective(objective, restyled_pairs(tower), adapter)


# Ours; chosen on generic images, see docs/lite.md.
RECIPE = Recipe(_build, epochs=5, batch=64, learning_rate=2e-3, weight_decay=0.01, warmup=0.1)
