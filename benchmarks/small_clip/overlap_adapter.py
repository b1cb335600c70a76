"""Does an adapter trained on some classes help to tell others apart?"""

from __future__ import annotations

from typing import Any

import torch

from adapters.corrections.bottleneck import BottleneckConfig, attach
from adapters.training.loop import LoopSettings
from adapters.training.methods.imo.objectives.supervised import Supervised
from benchmarks.small_clip.clip import CONFIG, images, run, texts
from benchmarks.small_clip.data import Crops, Pictures
from benchmarks.small_clip.few_shot import compared

ADAPTER = BottleneckConfig(width=64, scale=1.0)
SETTINGS = LoopSettings(epochs=15, batch=64, learning_rate=2e-3)


def measure(model: Any, learning: Pictures, other: Pictures, seed: int) -> dict[str, list[float]]:
    """Figures of the frozen and of the adapted encoder on classes that the adapter never saw.

    Args:
        model: The small CLIP; it is left as it was.
        learning: What the adapter is trained on.
        other: Images of other classes.
        seed: Of the training.
    """
    frozen = images(model, other.centre())
    torch.manual_seed(seed)
    adapter = attach(model.visual, ADAPTER)
    objective = Supervised(model.visual, adapter, CONFIG["embed_dim"], len(learning.names))
    run(objective, Crops(learning, seed=seed), SETTINGS, "training the adapter")
    adapted = images(model, other.centre())
    adapter.detach()
    model.requires_grad_(True)
    scale = float(model.logit_scale.detach().exp())
    return compared(frozen, adapted, texts(model, other.names), other.labels, scale)
