"""A run with DINO and one with labels, in one process or as one of several."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from adapters.corrections.bottleneck import BottleneckConfig, attach
from adapters.loading import load_dual_encoder
from adapters.training.loop import LoopSettings, train
from adapters.training.methods.imo import RECIPES
from adapters.training.methods.imo.model import image_tower
from tests.adapters.training.test_imo_training import dino
from tests.coloured import coloured_images
from tests.reading import READ


def run(vit: str, images: Path, out: Path, batch: int) -> None:
    """Train, and write OUT/RANK.pt."""
    data = coloured_images(images)
    settings = LoopSettings(epochs=1, batch=batch, learning_rate=2e-3)
    tower = image_tower(load_dual_encoder(f"local-dir:{vit}"))
    objective, pictures = dino(tower, data, momentum=0.9, small=1, first_epoch=0.5)
    progress = train(objective, pictures, settings, device="cpu")
    objective.student.detach()
    objective.teacher.detach()
    torch.manual_seed(0)
    adapter = attach(tower.visual, BottleneckConfig(width=8, scale=0.5))
    built = RECIPES["supervised"].build(tower, adapter, data.classes, 1)
    examples = data.examples(built.preprocessing, READ, settings.seed)
    other = train(built.objective, examples, settings, device="cpu")
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    learned = {
        "dino": objective.learned_state(),
        "supervised": built.objective.learned_state(),
        "losses": torch.tensor([progress.losses, other.losses]),
    }
    out.mkdir(parents=True, exist_ok=True)
    torch.save(learned, out / f"{rank}.pt")


def run_as_rank(environment: dict[str, str], *arguments: Any) -> None:
    """Be one process of such a run, with what torchrun tells each."""
    os.environ |= {"ACCELERATE_USE_CPU": "true"} | environment
    torch.set_num_threads(1)
    run(*arguments)
