"""A run with DINO and one with labels, in one process or as one of several under torchrun.

``python -m tests.adapters.training.two_trainings VIT IMAGES OUT BATCH`` writes what each process
learned.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from adapters.corrections.bottleneck import BottleneckConfig, attach
from adapters.training.loop import LoopSettings, train
from adapters.training.methods.imo import RECIPES
from adapters.training.methods.imo.tower import load_tower
from tests.adapters.training.test_imo_training import dino
from tests.coloured import coloured_images
from tests.reading import READ


def run(vit: str, images: Path, out: Path, batch: int) -> None:
    """Train, and write OUT/RANK.pt."""
    data = coloured_images(images)
    settings = LoopSettings(epochs=1, batch=batch, learning_rate=2e-3)
    tower = load_tower(f"local-dir:{vit}")
    objective, pictures = dino(tower, data, momentum=0.9, small=1, first_epoch=0.5)
    progress = train(objective, pictures, settings, out / "dino", device="cpu")
    objective.student.detach()
    objective.teacher.detach()
    torch.manual_seed(0)
    adapter = attach(tower.visual, BottleneckConfig(width=8, scale=0.5))
    built = RECIPES["supervised"].build(tower, adapter, data, READ, settings)
    other = train(built.objective, built.examples, settings, out / "supervised", device="cpu")
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    learned = {
        "dino": objective.learned_state(),
        "supervised": built.objective.learned_state(),
        "losses": torch.tensor([progress.losses, other.losses]),
    }
    torch.save(learned, out / f"{rank}.pt")


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
