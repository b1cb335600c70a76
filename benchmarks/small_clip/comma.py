"""Prompts learned on half of the classes, in a style that the small CLIP has not seen."""

from __future__ import annotations

import copy
from statistics import harmonic_mean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.prompts import CommaConfig, TrainedPrompts
from adapters.prompts.model import PromptedModel
from adapters.training.loop import LoopSettings
from adapters.training.methods.comma.config import OURS, CommaTerms
from adapters.training.methods.comma.objective import CommaObjective
from benchmarks.small_clip.clip import TEMPLATE, images, run, texts, tokenizer
from benchmarks.small_clip.data import Crops, Pictures

SHOTS = 16
PROMPTS = CommaConfig(length=4, depth=2, weight=1.0, template=TEMPLATE)
SETTINGS = LoopSettings(epochs=10, batch=64, learning_rate=2e-3, weight_decay=5e-4, warmup=0.2)


def measure(
    model: Any, learning: Pictures, other: Pictures, seed: int, terms: CommaTerms = OURS
) -> dict[str, list[float]]:
    """Accuracy in % on base classes, novel classes, and their harmonic mean.

    Args:
        model: The small CLIP; it is left as it was.
        learning: Images to draw shots of the base classes from.
        other: Images to measure on.
        seed: Of the draw and the training.
        terms: Whether generators learn.
    """
    classes = learning.labels.unique().tolist()
    base, novel = classes[: (len(classes) + 1) // 2], classes[(len(classes) + 1) // 2 :]
    few = _draw(learning.of_classes(base), seed)
    frozen = copy.deepcopy(model).requires_grad_(False)
    torch.manual_seed(SETTINGS.seed)
    objective = CommaObjective(frozen, tokenizer, few.names, PROMPTS, terms)
    run(objective, Crops(few, seed=seed), SETTINGS, "learning prompts")
    trained = TrainedPrompts(PROMPTS, *objective.learned_prompts(), "small CLIP", "", {})
    prompted = PromptedModel(frozen, tokenizer, trained)
    written: list[float] = []
    tuned: list[float] = []
    for half in (base, novel):
        pictures = other.of_classes(half)
        pixels = pictures.centre()
        written.append(_hits(images(model, pixels), texts(model, pictures.names), pictures))
        tuned.append(_hits(images(prompted, pixels), texts(prompted, pictures.names), pictures))
    found = {
        f"accuracy in %, {name} classes": [a, b]
        for name, a, b in zip(("base", "novel"), written, tuned, strict=True)
    }
    return found | {"harmonic mean": [harmonic_mean(written), harmonic_mean(tuned)]}


def _draw(pictures: Pictures, seed: int) -> Pictures:
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(pictures.labels), generator=generator)
    drawn = torch.zeros(len(pictures.labels), dtype=torch.bool)
    for label in range(len(pictures.names)):
        drawn[shuffled[pictures.labels[shuffled] == label][:SHOTS]] = True
    return pictures.only(drawn)


def _hits(embedded: Tensor, named: Tensor, pictures: Pictures) -> float:
    nearest = (normalize(embedded, dim=-1) @ normalize(named, dim=-1).T).argmax(dim=1)
    return 100 * (nearest == pictures.labels).float().mean().item()
