"""Moves a database that no service uses, from one recipe of its backbone to another."""

from __future__ import annotations

from time import monotonic

from rich.console import Console
from sqlalchemy import Engine

from adapters.encoder import Encoder
from adapters.recipe import recipes
from adapters.rest import no_rest
from service.encoder import origin_of
from service.re_embedding.errors import ReEmbeddingError
from service.re_embedding.moving import Moving
from service.registry.freshness import RevisionCheck
from service.registry.limits import SizeLimits
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.contents import Contents
from service.storage.fingerprints import stored_fingerprints
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.recipe_move import RecipeMoves
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store

# Seconds between two looks at how far it is.
_LOOK = 0.5


def is_of_recipes_of(engine: Engine, encoder: Encoder) -> bool:
    """Whether all that a database holds was embedded by that backbone, in whichever recipe."""
    known = {recipe.fingerprint(encoder.model_fingerprint) for recipe in recipes()}
    return stored_fingerprints(engine) <= known


def move_database(engine: Engine, encoder: Encoder, settings: Settings, console: Console) -> int:
    """Embed all images in the recipe of an encoder, and tune each classifier.

    May be interrupted, and begun again or gone on with by a service that starts: whatever it has
    done so far, the database is consistent.

    Returns:
        The number of images embedded.

    Raises:
        StorageError: Images were not kept or cannot be decoded, or classifiers not be read.
        ReEmbeddingUnderWay: The database is on its way to another recipe.
    """
    own = origin_of(encoder, settings)
    target = encoder.fingerprint
    moves = RecipeMoves(engine, own)
    stored = stored_fingerprints(engine)
    if moves.current() is None and stored <= {target}:
        return 0
    if lost := moves.not_kept(target):
        raise ReEmbeddingError(
            f"{lost} support images were not kept (HANDFUL_STORE_IMAGES=false), so they cannot be "
            "embedded in another recipe. Delete their classes while a service runs, or register "
            "them again with one that keeps images"
        )
    before = moves.progress(target)
    source = next(iter(sorted(stored - {target})), target)
    moves.begin(source, target)
    contents = Contents.opened(engine, None, settings.database_seconds)
    store = Store(engine, own, accepts=lambda fingerprint: fingerprint in (source, target))
    registry = Registry(
        store,
        encoder,
        limits=SizeLimits(max_classes=settings.max_classes, max_texts=settings.max_texts),
        memory=settings.classifier_memory,
        freshness=RevisionCheck(store),
    )
    with console.status("embedding") as shown:
        said = 0.0

        def step() -> None:
            nonlocal said
            if monotonic() - said > _LOOK:
                now, said = moves.progress(target), monotonic()
                shown.update(
                    f"{now.images_done} of {now.images} images, {now.classifiers_done} of "
                    f"{now.classifiers} classifiers"
                )

        stale = StaleEmbeddings(engine, own, contents)
        embeddings = MovedEmbeddings(engine, own, contents)
        Moving(moves, embeddings, registry, stale, settings, step, no_rest)(encoder)
    return before.images - before.images_done
