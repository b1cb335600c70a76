"""Who embeds a database anew: the service that uses it, or the command itself."""

from __future__ import annotations

from rich.console import Console

from adapters.encoder import Encoder
from adapters.recipe import Recipe
from service.encoder import asked_recipe, load_encoder, moved_recipe, origin_of
from service.precision.database_recipe import DatabaseRecipe
from service.re_embedding.errors import NoService, ReEmbeddingError
from service.re_embedding.offline import is_of_recipes_of, move_database
from service.re_embedding.running_service import RunningService
from service.registry.reembedding import re_embed as re_embed_with_another
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.errors import InUse
from service.storage.fingerprints import stored_fingerprints
from service.storage.location import sqlite_file
from service.storage.lock import lock_database
from service.storage.recipe_move import RecipeMoves


def re_embed(
    settings: Settings,
    recipe: dict[str, str],
    console: Console,
    *,
    url: str | None = None,
    key: str | None = None,
    another_backbone: bool = False,
) -> str:
    """Embed a database anew.

    Args:
        settings: Of the database and the backbone.
        recipe: What is to change of the recipe.
        console: For progress.
        url: Of the service that uses the database; None: that of the settings, if any does.
        key: API key for the service.
        another_backbone: Whether it was asked for one, which no running service changes to.

    Returns:
        What was done, in a sentence.

    Raises:
        StorageError: It cannot be; why, and what to do.
        BackboneError: The backbone cannot be loaded.
    """
    service = RunningService(url or f"http://{settings.host}:{settings.port}", key)
    if url is not None:
        return _by_service(service, recipe, console)
    shared = sqlite_file(settings.sqlalchemy_url) is None
    if shared and recipe and not another_backbone:
        try:
            return _by_service(service, recipe, console)
        except NoService:
            pass  # then nobody uses the database, as far as can be told
    try:
        lock = lock_database(settings.sqlalchemy_url)
    except InUse as error:
        if another_backbone or not recipe:
            raise
        try:
            return _by_service(service, recipe, console)
        except NoService as missing:
            raise InUse(f"{error}; or say where it listens, with --url ({missing})") from missing
    try:
        return _by_this_command(settings, recipe, console)
    finally:
        if lock is not None:
            lock.release()


def _by_service(service: RunningService, recipe: dict[str, str], console: Console) -> str:
    service.begin(recipe)
    done = service.follow(console)
    return (
        f"the service has all {done['images']['all']} images in {done['precision']} "
        f"({done['resizing']}) now"
    )


def _by_this_command(settings: Settings, recipe: dict[str, str], console: Console) -> str:
    engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
    try:
        kept = DatabaseRecipe(asked_recipe(settings), stored_fingerprints(engine))

        def wanted(model: str) -> Recipe:
            precision = None if settings.precision == "auto" else settings.precision
            return moved_recipe(kept(model), precision, recipe.get("resizing"))  # type: ignore[arg-type]

        with console.status(f"loading backbone {settings.backbone}"):
            encoder: Encoder = load_encoder(settings, wanted)
        if is_of_recipes_of(engine, encoder):
            count = move_database(engine, encoder, settings, console)
        else:
            if RecipeMoves(engine, origin_of(encoder, settings)).current() is not None:
                raise ReEmbeddingError(
                    "the database is on its way from one recipe of its backbone to another: start "
                    "the service with the backbone that it has, until GET /v1/re-embedding says "
                    "that nothing is under way, and do this again"
                )
            count = re_embed_with_another(engine, encoder, settings, console)
    finally:
        engine.dispose()
    return f"{count} images embedded with {encoder.name}; now start the service with it"
