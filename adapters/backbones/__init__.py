"""Backbones: open_clip models behind one interface."""

from __future__ import annotations

import torch

from adapters.backbones.backbone import Backbone
from adapters.backbones.errors import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.corrections import BeforeProjection, Uncorrected

LITE = "lite"


def load_backbone(name: str = LITE, device: torch.device | str | None = None) -> Backbone:
    """Load a backbone by name and warm it up.

    Args:
        name: ``lite``, whose weights come with the installation, or any open_clip model; see
            :func:`adapters.backbones.open_clip_models.load_open_clip`.
        device: Where it computes; the GPU if there is one.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == LITE:
        from adapters.backbones.lite import TEMPLATES, build_lite

        return Backbone(name, *build_lite(), BeforeProjection(), TEMPLATES, device)
    from adapters.backbones.open_clip_models import load_open_clip

    return Backbone(name, *load_open_clip(name), Uncorrected(), device=device)


__all__ = [
    "LITE",
    "Backbone",
    "BackboneError",
    "UnsafeWeights",
    "WeightsUnavailable",
    "load_backbone",
]
