"""The backbone that the settings ask for."""

from __future__ import annotations

from functools import partial

from adapters.backbones import Backbone, load_backbone
from adapters.runtimes import Eager, fastest
from service.settings import Settings


def load_encoder(settings: Settings) -> Backbone:
    """Load the backbone with its prompts and its adapter.

    Takes some seconds, and some more the first time, when the image tower is compiled.

    Raises:
        BackboneError: Something of it cannot be loaded; the message says what is missing.
    """
    compiled = partial(fastest, cache=settings.cache_dir / "compiled")
    return load_backbone(
        settings.backbone,
        settings.device,
        prompts=settings.prompts,
        adapter=settings.adapter,
        make_runtime=Eager.made if settings.runtime == "eager" else compiled,
    )
