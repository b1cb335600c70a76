"""Relational distillation: views of an image come together, and neighbours as far as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections.bottleneck import BottleneckAdapter
from adapters.training.objective import Objective

TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.1


class Relational(Objective):
    """How alike the frozen tower finds two images is how alike the adapted one finds their views.

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
        projection: Turns that embedding into the joint one.
        temperature: Of the adapted tower's softmax.
        teacher: That of the frozen tower's.
    """

    frozen = ("encoder", "projection")

    def __init__(
        self,
        encoder: nn.Module,
        adapter: BottleneckAdapter,
        projection: nn.Module,
        temperature: float = TEMPERATURE,
        teacher: float = TEACHER_TEMPERATURE,
    ) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.adapter = adapter
        self.projection = projection.requires_grad_(False)
        self.temperature = temperature
        self.teacher = teacher

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean cross-entropy between the likenesses of both.

        Args:
            batch: The images (n, 3, H, W) and the same ones restyled, both normalised; n > 1.
        """
        plain, restyled = batch
        with self.adapter.both():
            frozen, adapted = self.encoder(plain).chunk(2)
        views = normalize(torch.cat([adapted, self.encoder(restyled)]).float(), dim=-1)
        # No view is compared with itself.
        itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
        wanted = (self.likeness(frozen) / self.teacher).repeat(2, 2)
        wanted = wanted.masked_fill(itself, -torch.inf).softmax(dim=-1)
        found = (views @ views.T / self.temperature).masked_fill(itself, -torch.inf)
        return -(wanted * found.log_softmax(dim=-1).masked_fill(itself, 0)).sum(dim=-1).mean()

    @torch.no_grad()
    def likeness(self, frozen: Tensor) -> Tensor:
        """The (n, n) cosines that are aimed at, of (n, width) embeddings of the frozen tower."""
        kinds = [_centred(rows) for rows in (frozen, self.projection(frozen))]
        return torch.stack([rows @ rows.T for rows in kinds]).mean(dim=0)


def _centred(embeddings: Tensor) -> Tensor:
    rows = normalize(embeddings.float(), dim=-1)
    return normalize(rows - rows.mean(dim=0), dim=-1)
