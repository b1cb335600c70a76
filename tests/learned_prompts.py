"""Files of learned prompts for a small CLIP, as training writes them, with random numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from adapters.corrections.bottleneck import tower_fingerprint
from adapters.loading import load_dual_encoder
from adapters.prompts import CommaConfig, TrainedPrompts
from tests.small_clip import TEXT, VISION
from tests.tiny_vit import write_tiny_vit

TEMPLATE = "a blurry photo of {}."


@cache
def weights_of(backbone: str) -> str:
    """The digest by which prompts know the model that they were trained for."""
    return tower_fingerprint(load_dual_encoder(backbone).model)


def write_prompts(path: Path, backbone: str, seed: int, depth: int = 2, length: int = 2) -> Path:
    """Write prompts that no other seed gives; return their path."""
    generator = torch.Generator().manual_seed(seed)
    TrainedPrompts(
        CommaConfig(length=length, depth=depth, template=TEMPLATE),
        torch.randn(depth, length, TEXT["width"], generator=generator),
        torch.randn(depth, length, VISION["width"], generator=generator),
        backbone,
        weights_of(backbone),
        {"seed": seed},
    ).save(path)
    return path


def tiny_prompts() -> bytes:
    """The file of prompts for the tiny ViT of the seed 0."""
    with TemporaryDirectory() as folder:
        backbone = f"local-dir:{write_tiny_vit(Path(folder))}"
        made = TrainedPrompts(
            CommaConfig(length=2, depth=1),
            torch.ones(1, 2, 32),
            torch.ones(1, 2, 64),
            backbone,
            tower_fingerprint(load_dual_encoder(backbone).model),
            {},
        )
        made.save(Path(folder) / "prompts.safetensors")
        return (Path(folder) / "prompts.safetensors").read_bytes()
