"""Backbones by name, as the service loads them, computed by PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from adapters import loading
from adapters.backbones import Backbone


def load_backbone(
    name: str = "lite",
    *,
    device: torch.device | str | None = None,
    adapter: str | os.PathLike[str] | None = None,
    prompts: str | os.PathLike[str] | None = None,
) -> Backbone:
    """Load a CLIP encoder by name; takes some seconds.

    Args:
        name: ``lite``, whose weights come with the installation, or any open_clip model:
            ``MODEL/TAG``, ``MODEL/CHECKPOINT``, ``hf-hub:ORG/REPOSITORY``, ``local-dir:FOLDER``.
        device: Where it computes; the GPU if there is one.
        adapter: What ``handful train imo`` made for it; ``none`` for none. `lite` has its own.
        prompts: What ``handful train comma`` made for it.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    return loading.load_backbone(
        name,
        device,
        adapter=None if adapter is None else os.fspath(adapter),
        prompts=None if prompts is None else Path(prompts),
    )
