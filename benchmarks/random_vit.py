"""ViT-B/32 with random weights, as a folder: as large and as slow as any other of its kind."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import save_file

MODEL = "ViT-B-32"


def write_random_vit(folder: Path) -> str:
    """Write config and weights, and return the backbone's name."""
    torch.manual_seed(0)
    config = open_clip.get_model_config(MODEL)
    save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD}
    described = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    return f"local-dir:{folder}"
