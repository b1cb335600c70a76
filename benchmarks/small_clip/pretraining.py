"""Contrastive pretraining of the small CLIP, on augmented images and the names of their classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, normalize

from adapters.training.loop import LoopSettings
from adapters.training.methods.mixup.losses import clip_loss
from adapters.training.objective import Objective
from adapters.training.order import Turn
from benchmarks.small_clip.clip import new, run, tokenizer
from benchmarks.small_clip.data import SIDE, Pictures, miscaptioned, normalised

MISCAPTIONED = 0.2
TEMPLATES = (
    "a photo of a {}.",
    "a picture of the {}.",
    "the {}.",
    "a close-up of a {}.",
    "a small photo of one {}.",
    "a {} in a picture.",
)
SETTINGS = LoopSettings(epochs=40, batch=1, learning_rate=1e-3, weight_decay=0.1, warmup=0.05)
"""A batch of the loop is one round of all names: see `Rounds`."""
AREA, GREY, LIGHT = (0.35, 1.0), 0.2, 0.3


class Contrastive(Objective):
    """CLIP's own loss (Radford et al., ICML 2021)."""

    clip = 1.0

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *batch: Tensor) -> Tensor:
        """The loss of (1, n, 3, H, W) pixels and (1, n, L) tokens, a round of `Rounds`."""
        images = self.model.encode_image(batch[0][0]).float()
        texts = self.model.encode_text(batch[1][0]).float()
        scale = self.model.logit_scale.exp().clamp(max=100)
        return clip_loss(normalize(images, dim=-1), normalize(texts, dim=-1), scale)


class Rounds:
    """Rounds of captioned images: each holds one augmented image of every name.

    So no pair of a round is called wrong that is right.

    Args:
        pictures: Images and what they are called.
        seed: Decides which image is in which round, what is done to it, and its template.
    """

    def __init__(self, pictures: Pictures, seed: int) -> None:
        self.pictures, self.seed = pictures, seed
        self.rows = [
            (pictures.labels == label).nonzero().flatten()
            for label in pictures.labels.unique().tolist()
        ]
        self.tokens = torch.stack(
            [tokenizer([text.format(name) for name in pictures.names]) for text in TEMPLATES]
        )

    def __len__(self) -> int:
        return max(len(rows) for rows in self.rows)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, Tensor]:
        """Pixels (n, 3, SIDE, SIDE) and tokens (n, L) of n names."""
        generator = torch.Generator().manual_seed(hash((self.seed, *turn)))
        chosen = self.chosen(turn)
        labels = self.pictures.labels[chosen]
        templates = torch.randint(len(TEMPLATES), (len(labels),), generator=generator)
        pixels = augmented(self.pictures.pixels[chosen], generator)
        return pixels, self.tokens[templates, labels]

    def chosen(self, turn: Turn) -> Tensor:
        """(n,) images of a round: the next one of each name, in an order of the epoch's own."""
        order = torch.Generator().manual_seed(hash((self.seed, turn.epoch)))
        return torch.stack(
            [
                rows[torch.randperm(len(rows), generator=order)[turn.example % len(rows)]]
                for rows in self.rows
            ]
        )


def augmented(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Crops of random size, mirrored, lighter or darker, some grey.

    Args:
        pixels: (n, 3, H, W) uint8.
        generator: What is drawn comes from.

    Returns:
        (n, 3, SIDE, SIDE), normalised.
    """
    n = len(pixels)

    def draw(least: float, most: float) -> Tensor:
        return least + (most - least) * torch.rand(n, generator=generator)

    side, ratio = draw(*AREA).sqrt(), draw(-0.29, 0.29).exp().sqrt()
    width, height = (side * ratio).clamp(max=1), (side / ratio).clamp(max=1)
    mirrored = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0], place[:, 0, 2] = width * mirrored, (1 - width) * draw(-1, 1)
    place[:, 1, 1], place[:, 1, 2] = height, (1 - height) * draw(-1, 1)
    grid = affine_grid(place, [n, 3, SIDE, SIDE], align_corners=False)
    seen = grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    grey = (draw(0, 1) < GREY).view(-1, 1, 1, 1)
    seen = torch.where(grey, seen.mean(dim=1, keepdim=True), seen)
    mean = seen.mean(dim=(1, 2, 3), keepdim=True)
    contrast, light = draw(1 - LIGHT, 1 + LIGHT), draw(1 - LIGHT, 1 + LIGHT)
    seen = mean * light.view(-1, 1, 1, 1) + (seen - mean) * contrast.view(-1, 1, 1, 1)
    return normalised(seen.clamp(0, 255))


def pretrained(pictures: Pictures, seed: int, settings: LoopSettings = SETTINGS) -> Any:
    """A CLIP trained from scratch on pictures and their names, some of which are exchanged."""
    model = new(seed)
    # Most of the vocabulary is never seen; random embeddings tell the words of a few names apart.
    model.token_embedding.requires_grad_(False)
    rounds = Rounds(miscaptioned(pictures, MISCAPTIONED, seed), seed)
    run(Contrastive(model), rounds, settings, "training a small CLIP")
    return model
