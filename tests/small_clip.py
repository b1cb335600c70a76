"""Small open_clip models with random weights and several layers in both towers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

VISION: dict[str, Any] = {
    "image_size": 32,
    "layers": 3,
    "width": 64,
    "head_width": 32,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "context_length": 77,
    "vocab_size": 49408,
    "width": 48,
    "heads": 2,
    "layers": 3,
}


def small_clip(
    vision: dict[str, Any] | None = None,
    text: dict[str, Any] | None = None,
    *,
    kind: type[torch.nn.Module] = open_clip.CLIP,
    seed: int = 0,
    **others: Any,
) -> Any:
    """An untrained model of three layers a tower."""
    torch.manual_seed(seed)
    model = kind(
        embed_dim=32, vision_cfg=VISION | (vision or {}), text_cfg=TEXT | (text or {}), **others
    )
    return model.eval().requires_grad_(False)


def write_small_clip(folder: Path, seed: int = 0) -> str:
    """Write config and weights into a folder; return the backbone's name."""
    folder.mkdir(parents=True, exist_ok=True)
    model = small_clip(seed=seed)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    described = {
        "model_cfg": {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    return f"local-dir:{folder}"
