"""The backbone that the settings ask for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from adapters.backbones import Backbone
from adapters.corrections import NO_ADAPTER
from adapters.encoder import Encoder
from adapters.engines import Eager
from adapters.recipe import ChooseRecipe, Recipe
from service.settings import Settings
from service.storage.fingerprints import Origin


def load_encoder(settings: Settings, recipe: Recipe | ChooseRecipe | None = None) -> Backbone:
    """Load the backbone with its prompts and its adapter.

    Takes some seconds, and some more the first time, when the image tower is compiled.

    Args:
        settings: All of them.
        recipe: How images are embedded, or what chooses that by the model's fingerprint; as the
            settings have it if None.

    Raises:
        BackboneError: Something of it cannot be loaded; the message says what is missing.
    """
    from adapters.engines.selection import fastest
    from adapters.loading import load_backbone

    compiled = partial(fastest, cache=settings.cache_dir / "compiled")
    return load_backbone(
        settings.backbone,
        settings.device,
        prompts=settings.prompts,
        adapter=settings.adapter,
        make_engine=Eager.made if settings.runtime == "eager" else compiled,
        recipe=recipe or asked_recipe(settings),
    )


def origin_of(backbone: Encoder, settings: Settings) -> Origin:
    """What the embeddings of a backbone come from that was loaded with these settings."""
    adapter, prompts = settings.adapter, settings.prompts
    if adapter not in (None, NO_ADAPTER):
        adapter = str(Path(adapter).resolve())
    return Origin(
        backbone.fingerprint,
        settings.backbone,  # the name of one with prompts has them in it
        adapter,
        None if prompts is None else str(prompts.resolve()),
        model=backbone.model_fingerprint,
    )


def asked_recipe(settings: Settings) -> ChooseRecipe:
    """What chooses the recipe that the settings ask for."""
    recipe = Recipe("float32" if settings.precision == "auto" else settings.precision)
    return lambda _model: recipe
