"""Backbones: open_clip models behind one interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from adapters.backbones.backbone import Backbone
from adapters.backbones.errors import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.corrections import BeforeProjection, Correction, Uncorrected
from adapters.engines import Eager, MakeRuntime

if TYPE_CHECKING:
    from adapters.backbones.open_clip_models import Parts

LITE = "lite"
PHOTO = "a photo of a {}."
NO_ADAPTER = "none"


def load_backbone(
    name: str = LITE,
    device: torch.device | str | None = None,
    *,
    prompts: Path | None = None,
    adapter: str | None = None,
    make_runtime: MakeRuntime = Eager.made,
) -> Backbone:
    """Load a backbone by name and warm it up.

    Args:
        name: ``lite``, whose weights come with the installation, or any open_clip model; see
            :func:`adapters.backbones.open_clip_models.load_open_clip`.
        device: Where it computes; the GPU if there is one.
        prompts: What ``handful train comma`` made for it, to be used in both towers.
        adapter: What ``handful train imo`` made for it, to correct intra-modal overlap; a path,
            or ``none`` for none. By default `lite` has its own, and others have none.
        make_runtime: Makes what runs the image tower; see :mod:`adapters.engines`.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    parts, templates = load_parts(name), (PHOTO,)
    if name == LITE:
        from adapters.backbones.lite import ADAPTER, TEMPLATES

        templates, adapter = TEMPLATES, adapter or str(ADAPTER)
    correction = _correction(name, parts[0].get_submodule("visual"), adapter)
    if prompts is not None:
        from adapters.prompts import load_prompted

        return load_prompted(name, parts, correction, prompts, device, make_runtime)
    return Backbone(name, *parts, correction, templates, device, make_runtime)


def load_parts(name: str) -> Parts:
    """Load the model of a backbone, its preprocessing and its tokenizer, on the CPU.

    Args:
        name: As for :func:`load_backbone`.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    if name == LITE:
        from adapters.backbones.lite import build_lite

        return build_lite()
    from adapters.backbones.open_clip_models import load_open_clip

    return load_open_clip(name)


def _correction(name: str, visual: nn.Module, adapter: str | None) -> Correction:
    pooled = name == LITE
    if adapter in (None, NO_ADAPTER):
        return BeforeProjection() if pooled else Uncorrected()
    from adapters.corrections.bottleneck import Adapted, AdaptedBeforeProjection, load_adapter

    loaded = load_adapter(Path(str(adapter)), visual, name)
    return AdaptedBeforeProjection(loaded) if pooled else Adapted(loaded)


__all__ = [
    "LITE",
    "Backbone",
    "BackboneError",
    "UnsafeWeights",
    "WeightsUnavailable",
    "load_backbone",
    "load_parts",
]
