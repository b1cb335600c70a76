"""Feature extraction of the commands that embed a labelled folder: evaluate and diagnose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from adapters.backbones import Backbone
from adapters.recipe import ChooseRecipe
from service.cli.failure import fail
from service.datasets.dataset import DatasetError
from service.datasets.feature_cache import FeatureCache, default_folder
from service.datasets.features import Features
from service.encoder import load_encoder
from service.settings import Settings


def load_encoder_with_status(
    settings: Settings, console: Console, recipe: ChooseRecipe | None = None
) -> Backbone:
    """Load the backbone that the settings ask for, saying so while it takes.

    Args:
        settings: All of them.
        console: Where it is said.
        recipe: Chooses how images are embedded; as the settings have it if None.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    with console.status(f"loading backbone {settings.backbone}"):
        return load_encoder(settings, recipe)


def feature_extractor(
    settings: Settings,
    console: Console,
    cache: Path | None,
    no_cache: bool,
    recipe: ChooseRecipe | None = None,
) -> tuple[Backbone, Features]:
    """Load the backbone, and make what extracts features with it.

    Args:
        settings: Of the backbone.
        console: For progress.
        cache: Folder of the feature cache; in the user's cache folder if None.
        no_cache: Neither read nor keep features.
        recipe: Chooses how images are embedded; as the settings have it if None.

    Raises:
        BackboneError: The backbone cannot be loaded; the message says what is missing.
    """
    encoder = load_encoder_with_status(settings, console, recipe)
    return encoder, features_of(encoder, settings, console, cache, no_cache)


def features_of(
    encoder: Backbone,
    settings: Settings,
    console: Console,
    cache: Path | None,
    no_cache: bool,
    views: int = 1,
) -> Features:
    """What extracts features with a backbone, of so many support views; else as above."""
    kept = None if no_cache else FeatureCache(cache or default_folder(), encoder, views)
    return Features(encoder, settings, console, kept, views=views)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the command on an error: 2 for a data set that cannot be used, 1 for all else.

    Raises:
        typer.BadParameter: A data set is not laid out as needed, or cannot be read.
        typer.Exit: Anything else went wrong; it was said what.
    """
    try:
        yield
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    except Exception as error:
        fail(error)


def extraction_summary(*features: Features) -> str:
    """How many images were embedded, and how many features were cached."""
    embedded, reused = sum(f.embedded for f in features), sum(f.reused for f in features)
    return f"{embedded} images embedded, {reused} taken from the cache"
