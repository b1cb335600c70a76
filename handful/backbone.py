"""Backbones by name, as the service loads them; in float32 computed by PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from adapters import loading
from adapters.backbones import Backbone
from adapters.engines import Eager, Engine, ImagePass
from adapters.engines.selection import fastest
from adapters.recipe import Precision, Recipe, new_recipe, recipe_with
from service.settings import Settings


def load_backbone(
    name: str = "lite",
    *,
    device: torch.device | str | None = None,
    adapter: str | os.PathLike[str] | None = None,
    prompts: str | os.PathLike[str] | None = None,
    precision: Precision = "float32",
) -> Backbone:
    """Load a CLIP encoder by name; takes some seconds.

    Args:
        name: ``lite``, whose weights come with the installation, or any open_clip model:
            ``MODEL/TAG``, ``MODEL/CHECKPOINT``, ``hf-hub:ORG/REPOSITORY``, ``local-dir:FOLDER``.
        device: Where it computes; the GPU if there is one.
        adapter: What ``handful train imo`` made for it; ``isoclip`` for the correction that
            needs no training (docs/isoclip.md); ``none`` for none. `lite` has its own.
        prompts: What ``handful train comma`` made for it.
        precision: Of the image tower: float32, computed by PyTorch; bfloat16 or int8, by OpenVINO
            (docs/precision.md). Embeddings of two precisions are not comparable.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    return loading.load_backbone(
        name,
        device,
        adapter=None if adapter is None else os.fspath(adapter),
        prompts=None if prompts is None else Path(prompts),
        make_engine=_make_engine,
        recipe=new_recipe(precision),
    )


def load_for(name: str, fingerprint: str) -> Backbone:
    """Load a CLIP encoder by name in the recipe with this fingerprint, if it has one.

    Raises:
        BackboneError: It cannot be loaded.
    """
    return loading.load_backbone(
        name,
        make_engine=_make_engine,
        recipe=lambda model: recipe_with(fingerprint, model) or Recipe(),
    )


def _make_engine(
    image_pass: ImagePass,
    device: torch.device,
    size: tuple[int, int],
    identity: str,
    precision: Precision = "float32",
) -> Engine:
    """PyTorch in float32; else what is compiled, kept where a service keeps it."""
    if precision == "float32":
        return Eager(image_pass, device)
    folder = Settings().cache_dir / "compiled"
    return fastest(image_pass, device, size, identity, precision, cache=folder)
