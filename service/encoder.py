"""The backbone that the settings ask for."""

from __future__ import annotations

from adapters.backbones import Backbone, load_backbone
from service.settings import Settings


def load_encoder(settings: Settings) -> Backbone:
    """Load the backbone with its prompts and its adapter; takes some seconds.

    Raises:
        BackboneError: Something of it cannot be loaded; the message says what is missing.
    """
    return load_backbone(
        settings.backbone, settings.device, prompts=settings.prompts, adapter=settings.adapter
    )
