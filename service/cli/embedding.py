"""What the commands that embed folders of images share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from adapters.backbones import Backbone
    from service.evaluation.features import Features
    from service.settings import Settings


def load_shown(settings: Settings, console: Console) -> Backbone:
    """Load the backbone that the settings ask for, saying so while it takes.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    from service.encoder import load_encoder

    with console.status(f"loading backbone {settings.backbone}"):
        return load_encoder(settings)


def features(
    settings: Settings, console: Console, cache: Path | None, no_cache: bool
) -> tuple[Backbone, Features]:
    """Load the backbone, and make what embeds with it.

    Args:
        settings: Of the backbone.
        console: For progress.
        cache: Folder of kept features; in the user's cache folder if None.
        no_cache: Neither read nor keep features.

    Raises:
        BackboneError: The backbone cannot be loaded; the message says what is missing.
    """
    from service.evaluation.feature_cache import FeatureCache, default_folder
    from service.evaluation.features import Features

    encoder = load_shown(settings, console)
    kept = None if no_cache else FeatureCache(cache or default_folder(), encoder)
    return encoder, Features(encoder, settings, console, kept)
