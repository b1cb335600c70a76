"""DINO to the letter: as the code of Kravets & Namboodiri (BMVC 2024) trains an adapter by it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.training.method import Preprocessing
from adapters.training.methods.imo.augmentation import DinoCrops, PillowBlur, many_crops
from adapters.training.methods.imo.model import Tower
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.recipe import AdapterObjective, Recipe
from adapters.training.methods.imo.resolution import as_dino, small_side

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation that crops are normalised with, whatever the tower is used to."""

CROPS = DinoCrops(
    large=(0.25, 1.0), small=(0.05, 0.25), number=10, blur=PillowBlur(), normalised=IMAGENET
)
TEACHER_TEMPERATURES = (0.04, 0.055, 0.07)
"""Of the first epochs; the last one stays."""
MOMENTUM = 0.9998
"""Of the teacher at the beginning."""
OUTPUTS = 65536
"""K, of the head."""


class PublishedDino(Dino):
    """DINO whose head is random and fixed, so that only the adapter learns.

    The teacher's temperature rises over the first epochs, the norm of each parameter's gradient
    is bounded by itself, and the teacher's momentum is that of the step which is done. There is
    no dropout: the published code leaves the towers in evaluation mode.

    Args:
        encoder: Pixels to the (n, width) embedding that is compared with other images.
        student: Attached to it.
        teacher: Attached to it as well; becomes a copy of the student.
        width: Of the embedding.
        outputs: K, of the head.
    """

    clip = 0.3
    clip_each = True
    resize = staticmethod(as_dino)

    def __init__(
        self,
        encoder: nn.Module,
        student: BottleneckAdapter,
        teacher: BottleneckAdapter,
        width: int,
        *,
        outputs: int = OUTPUTS,
    ) -> None:
        super().__init__(
            encoder, student, teacher, width, outputs=outputs, momentum=MOMENTUM, first_epoch=0
        )
        # The directions that a linear layer of PyTorch begins with.
        nn.init.uniform_(self.student_head.prototypes, -1, 1)
        self.student_head.requires_grad_(False)
        self.teacher_head.load_state_dict(self.student_head.state_dict())

    def begin_epoch(self, epoch: int) -> None:
        """Let the teacher be as sharp as this epoch wants it."""
        self.temperature = TEACHER_TEMPERATURES[min(epoch, len(TEACHER_TEMPERATURES) - 1)]

    def _momentum_at(self, _done: float) -> float:
        return super()._momentum_at(float(self.done))


def _build(
    tower: Tower, adapter: BottleneckAdapter, _classes: Sequence[str], _epochs: int
) -> AdapterObjective:
    teacher = attach(tower.visual, adapter.config)
    objective = PublishedDino(tower.encoder, adapter, teacher, tower.width)
    crops = many_crops(tower, small_side(tower.encoder, tower.size), CROPS)
    return AdapterObjective(objective, Preprocessing(transform=crops), teacher)


# Three processes of 40 images each, as the authors ran it, are one of 120.
RECIPE = Recipe(
    _build,
    epochs=10,
    batch=120,
    learning_rate=8e-4,
    weight_decay=0.04,
    warmup=0.2,
    schedule="floor",
    lowest_rate=2e-6,
    last_decay=0.4,
    adapter=BottleneckConfig(scale=0.1),
    seed=1,
    scaled_to=256,
)
