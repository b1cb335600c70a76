"""Self-supervised training: DINO (Caron et al., ICCV 2021), with adapters in place of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, softmax

from adapters.corrections.bottleneck import BottleneckAdapter, attach
from adapters.training.method import Preprocessing
from adapters.training.methods.imo.augmentation import many_crops
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.dino_head import DinoHead
from adapters.training.methods.imo.recipe import AdapterObjective, Recipe
from adapters.training.methods.imo.resolution import encode, small_side, smoothed
from adapters.training.objective import Objective

_STUDENT_TEMPERATURE = 0.1
_CENTRE_MOMENTUM = 0.9


class Dino(Objective):
    """The student learns to give for any crop what the teacher gives for a large one.

    Student and teacher are two adapters, each with a head, on one frozen tower: a pass of one
    leaves the other out. The teacher is a moving average of the student and what is kept. That
    both do not end up giving the same for every image is prevented by centring (no output wins
    everywhere) and sharpening (no output is uniform). The centre is the mean over all processes,
    and a step of accumulated batches is that of one large batch.

    Args:
        encoder: Pixels to the (n, width) embedding that is compared with other images.
        student: Attached to it.
        teacher: Attached to it as well; becomes a copy of the student.
        width: Of the embedding.
        outputs: K, of the heads.
        momentum: Of the teacher at the beginning; it rises to 1 by half a cosine.
        first_epoch: Share of the run in which the last layer of the student's head is frozen.

    Attributes:
        temperature: Of the teacher.
        resize: How position embeddings are brought to the side of small crops.
    """

    frozen = ("encoder",)
    clip = 3.0
    temperature = 0.04
    resize = staticmethod(smoothed)

    def __init__(
        self,
        encoder: nn.Module,
        student: BottleneckAdapter,
        teacher: BottleneckAdapter,
        width: int,
        *,
        outputs: int = 65536,
        momentum: float = 0.9998,
        first_epoch: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.student = student
        self.teacher = teacher.requires_grad_(False)
        self.student_head = DinoHead(width, outputs)
        self.teacher_head = DinoHead(width, outputs).requires_grad_(False)
        self.teacher.load_state_dict(student.state_dict())
        self.teacher_head.load_state_dict(self.student_head.state_dict())
        self.momentum = momentum
        self.first_epoch = first_epoch
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(outputs))
        self.done: Tensor
        self.register_buffer("done", torch.zeros((), dtype=torch.float64))
        self._sum: Tensor | None = None
        self._rows = 0
        prototypes: Any = self.student_head.prototypes
        prototypes.register_hook(self._kept_in_first_epoch)

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the mean cross-entropy of teacher and student over all pairs of unlike crops.

        Args:
            batch: Large crops (n, 2, 3, H, W) and, unless there are none, small ones
                (n, L, 3, h, w), all normalised.
        """
        n = len(batch[0])
        large = batch[0].transpose(0, 1).flatten(0, 1)
        expected = self.teach(large).chunk(2)
        with self.teacher.frozen():
            outputs = self.student_head(self._encode(large)).split(n)
            if len(batch) > 1:
                small = self._encode(batch[1].transpose(0, 1).flatten(0, 1))
                outputs = (*outputs, *self.student_head(small).split(n))
        losses = []
        for number, output in enumerate(outputs):
            found = log_softmax(output.float() / _STUDENT_TEMPERATURE, dim=-1)
            losses += [
                -(wanted * found).sum(dim=-1).mean()
                for other, wanted in enumerate(expected)
                if other != number
            ]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def teach(self, pixels: Tensor) -> Tensor:
        """The teacher's (n, K) distributions, centred and sharpened.

        Args:
            pixels: (n, 3, H, W), normalised.
        """
        with self.student.frozen():
            outputs = self.teacher_head(self._encode(pixels)).float()
        if self.training:
            total = outputs.sum(dim=0)
            self._sum = total if self._sum is None else self._sum + total
            self._rows += len(outputs)
        return softmax((outputs - self.centre) / self.temperature, dim=-1)

    @torch.no_grad()
    def after_step(self, done: float) -> None:
        """Move the teacher towards the student, and the centre towards the mean output."""
        momentum = self._momentum_at(done)
        for kept, new in ((self.teacher, self.student), (self.teacher_head, self.student_head)):
            for old, parameter in zip(kept.parameters(), new.parameters(), strict=True):
                old.lerp_(parameter, 1 - momentum)
        self.done.fill_(done)
        if self._sum is not None:
            mean = _mean_of_processes(self._sum / self._rows)
            self.centre.lerp_(mean, 1 - _CENTRE_MOMENTUM)
            self._sum, self._rows = None, 0

    def _momentum_at(self, done: float) -> float:
        return 1 - (1 - self.momentum) * (math.cos(math.pi * done) + 1) / 2

    def _encode(self, pixels: Tensor) -> Tensor:
        return encode(self.encoder, pixels, self.resize)

    def _kept_in_first_epoch(self, gradient: Tensor) -> Tensor:
        # A gradient of zero and not none: several processes wait for each other's gradients.
        return torch.zeros_like(gradient) if self.done < self.first_epoch else gradient


def _mean_of_processes(value: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(value)
        value = value / torch.distributed.get_world_size()
    return value


def _build(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], epochs: int
) -> AdapterObjective:
    teacher = attach(tower.visual, adapter.config)
    objective = Dino(tower.encoder, adapter, teacher, tower.width, first_epoch=1 / epochs)
    crops = many_crops(tower, small_side(tower.encoder, tower.size))
    return AdapterObjective(objective, Preprocessing(transform=crops, side=2 * tower.size), teacher)


# Three processes of 40 images each, as Kravets & Namboodiri ran it, are one of 120.
RECIPE = Recipe(
    _build,
    epochs=10,
    batch=120,
    learning_rate=8e-4,
    weight_decay=0.04,
    warmup=0.2,
    scaled_to=256,
)
