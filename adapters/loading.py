"""A backbone put together: its dual encoder, its correction or adapter, its prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from adapters.backbone_errors import PromptError
from adapters.backbones import Backbone, DualEncoder
from adapters.backbones.lite import LITE
from adapters.backbones.lite.model import build_lite
from adapters.backbones.open_clip_models import load_open_clip
from adapters.corrections import (
    ISOCLIP,
    NO_ADAPTER,
    BeforeProjection,
    Correction,
    Uncorrected,
    adapter_file,
)
from adapters.corrections.bottleneck import (
    Adapted,
    AdaptedBeforeProjection,
    load_adapter,
    tower_fingerprint,
)
from adapters.corrections.isoclip import IsoClip
from adapters.engines import Eager, MakeEngine
from adapters.prompts import PromptedBackbone, load_prompts
from adapters.prompts.shared_towers import SharedTowers, other_backbone
from adapters.prompts.towers import towers
from adapters.recipe import ChooseRecipe, Recipe

BUILT_IN: dict[str, Callable[[], DualEncoder]] = {LITE: build_lite}
"""Backbones that come with the installation, by name; any other name is open_clip's."""


def load_backbone(
    name: str = LITE,
    device: torch.device | str | None = None,
    *,
    prompts: Path | None = None,
    adapter: str | None = None,
    make_engine: MakeEngine = Eager.made,
    recipe: Recipe | ChooseRecipe = Recipe(),  # noqa: B008 - a value that never changes
) -> Backbone:
    """Load a backbone by name and warm it up.

    Args:
        name: ``lite``, whose weights come with the installation, or any open_clip model; see
            :func:`adapters.backbones.open_clip_models.load_open_clip`.
        device: Where it computes; the GPU if there is one.
        prompts: What ``handful train comma`` made for it, to be used in both towers.
        adapter: What ``handful train imo`` made for it, to correct intra-modal overlap; a path;
            ``isoclip`` for what needs no training; or ``none``. By default `lite` has its own, and
            others have none.
        make_engine: Makes what runs the image tower; see :mod:`adapters.engines`.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    encoder = load_dual_encoder(name)
    correction = load_correction(encoder, adapter)
    if prompts is not None:
        return load_prompted(encoder, correction, prompts, device, make_engine, recipe)
    return Backbone(encoder, correction, device, make_engine, recipe)


def load_dual_encoder(name: str) -> DualEncoder:
    """Load the model of a backbone, its preprocessing and its tokenizer, on the CPU.

    Args:
        name: As for :func:`load_backbone`.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    return BUILT_IN[name]() if name in BUILT_IN else load_open_clip(name)


def load_correction(encoder: DualEncoder, adapter: str | None = None) -> Correction:
    """Load the correction of intra-modal overlap that suits an encoder.

    Args:
        encoder: A trained adapter is attached to its image tower.
        adapter: As for :func:`load_backbone`.

    Raises:
        AdapterError: The adapter is missing, damaged or another tower's.
        NoLinearProjectionError: IsoCLIP is asked for, and the towers do not end in matrices.
    """
    if adapter == ISOCLIP:
        return IsoClip(encoder.model)
    path = adapter_file(adapter) or encoder.adapter
    if path is None or adapter == NO_ADAPTER:
        return BeforeProjection() if encoder.pools_before_projection else Uncorrected()
    loaded = load_adapter(path, encoder.visual, encoder.name)
    pooled = encoder.pools_before_projection
    return AdaptedBeforeProjection(loaded) if pooled else Adapted(loaded)


def load_prompted(
    encoder: DualEncoder,
    correction: Correction,
    path: Path,
    device: torch.device | str = "cpu",
    make_engine: MakeEngine = Eager.made,
    recipe: Recipe | ChooseRecipe = Recipe(),  # noqa: B008 - a value that never changes
) -> PromptedBackbone:
    """Make a backbone that uses the learned prompts of a file.

    Args:
        encoder: Without prompts.
        correction: See `PromptedBackbone`.
        path: Of the prompts.
        device: Where it computes.
        make_engine: Makes what runs the image tower.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.

    Raises:
        PromptError: The file is missing or damaged, or was trained with another backbone.
    """
    trained = load_prompts(path)
    towers(encoder.model)  # tells what is supported before what differs
    if trained.fingerprint != tower_fingerprint(encoder.model):
        raise PromptError(other_backbone(str(path), trained, encoder.name))
    return PromptedBackbone(encoder, correction, trained, path, device, make_engine, recipe)


def load_shared_towers(
    name: str,
    device: torch.device | str | None = None,
    *,
    adapter: str | None = None,
    passes: int = 1,
    compiles: bool = False,
) -> SharedTowers:
    """Load both towers of a backbone, for any number of learned prompts.

    Args:
        name: As for :func:`load_backbone`.
        device: As there.
        adapter: As there.
        passes: See :class:`adapters.prompts.shared_towers.SharedTowers`.
        compiles: As there.

    Raises:
        BackboneError: It cannot be loaded, or its towers take no prompts.
    """
    encoder = load_dual_encoder(name)
    towers(encoder.model)  # tells what is supported before an adapter is attached
    correction = load_correction(encoder, adapter)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return SharedTowers(encoder, correction, device, passes=passes, compiles=compiles)
