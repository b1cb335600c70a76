"""What m²-Mix does to the space that images and texts share."""

from __future__ import annotations

import copy
from typing import Any

import torch

from adapters.measures.alignment import alignment
from adapters.measures.modality_gap import modality_gap
from adapters.measures.uniformity import uniformity
from adapters.training.loop import LoopSettings
from adapters.training.methods.mixup import PUBLISHED_WEIGHTS, MixupConfig
from adapters.training.methods.mixup.objective import MixupObjective
from benchmarks.small_clip.clip import images, run, texts, tokens
from benchmarks.small_clip.data import Crops, Pictures

SETTINGS = LoopSettings(epochs=3, batch=128, learning_rate=3e-4)
WEIGHT = PUBLISHED_WEIGHTS["m2"]


def measure(model: Any, learning: Pictures, other: Pictures, seed: int) -> dict[str, list[float]]:
    """Figures on other images before, after more contrastive steps, and after as many with m²-Mix.

    Args:
        model: The small CLIP; it is left as it was.
        learning: Images with the texts of their classes.
        other: Other images of the same classes.
        seed: Of the training.
    """
    rows = [_figures(model, other)]
    for weight in (0.0, WEIGHT):
        tuned = copy.deepcopy(model)
        torch.manual_seed(seed)
        objective = MixupObjective(tuned, MixupConfig(weights={"m2": weight} if weight else {}))
        run(
            objective,
            Crops(learning, tokens(learning.names), seed),
            SETTINGS,
            f"fine-tuning, weight of m²-Mix {weight:g}",
        )
        rows.append(_figures(tuned, other))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _figures(model: Any, pictures: Pictures) -> dict[str, float]:
    embedded, named = images(model, pictures.centre()), texts(model, pictures.names)
    own = named[pictures.labels]
    hits = (embedded @ named.T).argmax(dim=1) == pictures.labels
    return {
        "alignment": alignment(embedded, named, pictures.labels),
        "uniformity": uniformity(torch.cat([embedded, named])),
        "modality gap": modality_gap(embedded, own),
        "zero-shot accuracy in %": 100 * hits.float().mean().item(),
    }
