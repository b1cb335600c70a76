"""Geodesic multi-modal mixup: hard negatives on the sphere (Oh et al., NeurIPS 2023)."""

from adapters.training.methods.mixup.config import (
    LEARNING_RATES,
    PRESETS,
    PUBLISHED_WEIGHTS,
    Learned,
    MixupConfig,
    MixupPreset,
)
from adapters.training.methods.mixup.method import MixupMethod

__all__ = [
    "LEARNING_RATES",
    "PRESETS",
    "PUBLISHED_WEIGHTS",
    "Learned",
    "MixupConfig",
    "MixupMethod",
    "MixupPreset",
]
