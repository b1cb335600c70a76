"""What the correction without training does to the same tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import normalize

from adapters.corrections.isoclip import IsoClip
from benchmarks.small_clip.clip import images, texts
from benchmarks.small_clip.data import Pictures
from benchmarks.small_clip.few_shot import compared


@torch.inference_mode()
def measure(model: Any, other: Pictures) -> dict[str, list[float]]:
    """Figures of the frozen embedding and of its evenly aligned directions.

    Args:
        model: The small CLIP; it is left as it was.
        other: Images that it was not trained on.
    """
    frozen = images(model, other.centre())
    corrected = normalize(IsoClip(model).matrix(frozen), dim=-1)
    scale = float(model.logit_scale.exp())
    return compared(frozen, corrected, texts(model, other.names), other.labels, scale)
