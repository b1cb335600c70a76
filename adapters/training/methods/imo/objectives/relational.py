"""Relational distillation: as distillation, and views of an image come together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections.bottleneck import BottleneckAdapter
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.distillation import MEMORY, Distillation
from adapters.training.methods.imo.recipe import AdapterObjective, Recipe, restyled_pairs

SHARE = 3.0
TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.1


class RelationalDistillation(Distillation):
    """Distillation, and how alike the frozen tower finds two images is how alike views of them are.

    The views of a batch, plain and restyled, are compared with each other as in SimCLR's InfoNCE
    (Chen et al., ICML 2020), but for the target: not the other view alone, but all images of the
    batch, by a softmax over what the frozen tower makes of them plain (as ReSSL, Zheng et al.,
    NeurIPS 2021, relates images). The image itself is the nearest, so that its views are pulled
    together; others are pushed away as far as they are not neighbours.

    The frozen tower's cosines are the mean of two, each less its mean over the batch: of what is
    compared, and of what the projection makes of it, which knows the classes that the tower was
    trained on. The adapted tower's are taken as they are, as whoever uses the adapter takes them:
    what all images have in common, it has to learn to leave out.

    Args:
        encoder: Pixels to the (n, width) embedding that is compared with other images.
        adapter: Attached to it.
        width: Of the embedding.
        projection: Turns that embedding into the joint one.
        share: Of this in the loss, beside distillation.
        memory: How many images are remembered to compare with, for distillation.
        temperature: Of the adapted tower's softmax.
        teacher: That of the frozen tower's.
    """

    frozen = ("encoder", "projection")

    def __init__(
        self,
        encoder: nn.Module,
        adapter: BottleneckAdapter,
        width: int,
        projection: nn.Module,
        share: float = SHARE,
        *,
        memory: int = MEMORY,
        temperature: float = TEMPERATURE,
        teacher: float = TEACHER_TEMPERATURE,
    ) -> None:
        super().__init__(encoder, adapter, width, memory)
        self.projection = projection.requires_grad_(False)
        self.share = share
        self.relational_temperature = temperature
        self.teacher_temperature = teacher

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the sum of both cross-entropies.

        Args:
            batch: The images (n, 3, H, W) and the same ones restyled, both normalised; n > 1.
        """
        plain, restyled = batch
        with self.adapter.both():
            frozen, adapted = self.encoder(plain).chunk(2)
        frozen, found = frozen.detach(), self.encoder(restyled)
        related = self.related(frozen, torch.cat([adapted, found]))
        return self.distilled(frozen, found) + self.share * related

    def related(self, frozen: Tensor, views: Tensor) -> Tensor:
        """Return the mean cross-entropy between the likenesses of both.

        Args:
            frozen: (n, width) embeddings that the frozen tower has of the images.
            views: (2n, width) ones of the adapted tower, of the images and of them restyled.
        """
        views = normalize(views.float(), dim=-1)
        # No view is compared with itself.
        itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
        wanted = (self.likeness(frozen) / self.teacher_temperature).repeat(2, 2)
        wanted = wanted.masked_fill(itself, -torch.inf).softmax(dim=-1)
        found = (views @ views.T / self.relational_temperature).masked_fill(itself, -torch.inf)
        return -(wanted * found.log_softmax(dim=-1).masked_fill(itself, 0)).sum(dim=-1).mean()

    @torch.no_grad()
    def likeness(self, frozen: Tensor) -> Tensor:
        """The (n, n) cosines that are aimed at, of (n, width) embeddings of the frozen tower."""
        kinds = [centred(rows) for rows in (frozen, self.projection(frozen))]
        return torch.stack([rows @ rows.T for rows in kinds]).mean(dim=0)


def centred(embeddings: Tensor) -> Tensor:
    """Unit embeddings less their mean, of length one again."""
    rows = normalize(embeddings.float(), dim=-1)
    return normalize(rows - rows.mean(dim=0), dim=-1)


def _build(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    objective = RelationalDistillation(tower.encoder, adapter, tower.width, tower.projection)
    return AdapterObjective(objective, restyled_pairs(tower), adapter)


# Ours; chosen on generic images, see docs/lite.md.
RECIPE = Recipe(_build, epochs=2, batch=64, learning_rate=2e-3, weight_decay=0.01, warmup=0.1)
