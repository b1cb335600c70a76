"""The backbone that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from adapters.backbones import Backbone
from adapters.corrections import adapter_file
from adapters.encoder import Encoder
from adapters.engines import Eager
from adapters.kept import load_compiled
from adapters.recipe import ChooseRecipe, Precision, Recipe, Resizing, new_recipe, recipe_with
from service.precision.verdict import Verdict, own_verdict, shipped_verdict
from service.settings import Settings
from service.storage.fingerprints import Origin

if TYPE_CHECKING:  # it imports open_clip
    from adapters.prompts.shared_towers import SharedTowers


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
    chosen = recipe or asked_recipe(settings)
    folder = settings.cache_dir / "compiled"
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if settings.runtime == "auto" and device == "cpu" and settings.prompts is None:
        return load_compiled(
            settings.backbone, adapter=settings.adapter, recipe=chosen, cache=folder
        )
    from adapters.engines.selection import fastest
    from adapters.loading import load_backbone

    return load_backbone(
        settings.backbone,
        device,
        prompts=settings.prompts,
        adapter=settings.adapter,
        make_engine=Eager.made if settings.runtime == "eager" else partial(fastest, cache=folder),
        recipe=chosen,
    )


def prompts_refusal(backbone: Encoder, settings: Settings) -> str | None:
    """Why classifiers of a service can choose no prompts of their own; None: they can."""
    if backbone.shared or settings.processes > 1:
        return (
            "Prompts of a classifier are embedded in the process that serves it, and this service"
            " has an encoder that several processes share. Start it with HANDFUL_PROCESSES=1 and"
            " without Ray (as replicas over PostgreSQL, where one process is not enough), or with"
            " these prompts for all classifiers: handful serve --prompts FILE"
        )
    return None


def load_towers(settings: Settings, backbone: Encoder) -> SharedTowers:
    """Load both towers of the backbone, for prompts that classifiers choose.

    Args:
        settings: All of them.
        backbone: What was loaded with them, by whose engine they are run.

    Raises:
        BackboneError: They cannot be loaded, or take no prompts.
    """
    from adapters.loading import load_shared_towers

    return load_shared_towers(
        settings.backbone,
        settings.device,
        adapter=settings.adapter,
        passes=backbone.passes if backbone.device.type == "cpu" else 1,
        compiles=backbone.engine == "openvino",
    )


def origin_of(backbone: Encoder, settings: Settings) -> Origin:
    """What the embeddings of a backbone come from that was loaded with these settings."""
    adapter, prompts = settings.adapter, settings.prompts
    if (file := adapter_file(adapter)) is not None:
        adapter = str(file.resolve())
    return Origin(
        backbone.fingerprint,
        settings.backbone,  # the name of one with prompts has them in it
        adapter,
        None if prompts is None else str(prompts.resolve()),
        model=backbone.model_fingerprint,
    )


def asked_recipe(
    settings: Settings, unknown: Callable[[str], Precision] = lambda _: "float32"
) -> ChooseRecipe:
    """What chooses the recipe that the settings ask for.

    Args:
        settings: All of them.
        unknown: Gives the precision for the fingerprint of a model whose precisions were not
            measured.
    """

    def choose(model: str) -> Recipe:
        if settings.precision != "auto":
            return new_recipe(settings.precision)
        if not rounds(settings):
            return Recipe()
        verdict = verdict_of(settings, model)
        return new_recipe(unknown(model) if verdict is None else verdict.precision())

    return choose


def recipe_of_file(settings: Settings, fingerprint: str) -> ChooseRecipe:
    """What chooses the recipe that a classifier's file was made in; the one asked for if in none.

    Args:
        settings: All of them.
        fingerprint: That the file tells.
    """
    asked = asked_recipe(settings)
    return lambda model: recipe_with(fingerprint, model) or asked(model)


def moved_recipe(now: Recipe, precision: Precision | None, resizing: Resizing | None) -> Recipe:
    """The recipe that a database moves to.

    Args:
        now: That it has.
        precision: That is asked for; as it is if None.
        resizing: That is asked for; if None, that of new databases of the precision, or as it is
            where neither is asked for.
    """
    if precision is None:
        return Recipe(now.precision, resizing or now.resizing)
    return Recipe(precision, resizing or new_recipe(precision).resizing)


def rounds(settings: Settings) -> bool:
    """Whether OpenVINO embeds, which alone computes in less than float32 by choice."""
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return settings.runtime == "auto" and torch.device(device).type == "cpu"


def verdict_of(settings: Settings, model: str) -> Verdict | None:
    """What is known of a model's precisions: by this machine, or else by the package."""
    return own_verdict(model, settings.cache_dir) or shipped_verdict(model)
