"""Classifiers of a database that no service uses: to files, and from files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from adapters.cache import CacheSettings
from adapters.encoder import Encoder
from adapters.recipe import ChooseRecipe
from adapters.whole_files import written_whole
from service.encoder import asked_recipe, origin_of
from service.encoding.file_images import embed_images
from service.encoding.image_embedder import ImageEmbedder, until_done
from service.exchange import (
    MOST_IMAGES,
    ClassifierFile,
    ReadLimits,
    read_classifier,
    write_file,
)
from service.images.embedded import EmbeddedImage
from service.name_validation import checked_classifier
from service.precision.database_recipe import DatabaseRecipe
from service.problems import ClassifierNotFound, InvalidSettings
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.exporting import contents_in_order, exported
from service.registry.freshness import RevisionCheck
from service.registry.importing import Import, has_to_be_embedded
from service.registry.index_file import write_index_files
from service.registry.limits import SizeLimits
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.contents import Contents
from service.storage.engine import open_database
from service.storage.exporting import origin_of_classifier
from service.storage.fingerprints import check_fingerprints, stored_fingerprints
from service.storage.lock import lock_database
from service.storage.store import Store


def export_classifier(
    settings: Settings, name: str, file: Path, *, images: bool, index: Path | None
) -> str:
    """Write a classifier as one file; loads no backbone.

    Args:
        settings: Of the database.
        name: The classifier's.
        file: Replaced whole, or left as it is.
        images: Whether the images that were kept go along.
        index: Where its keys go as a FAISS index, with what its ids are of beside; None: nowhere.

    Returns:
        What was written, in a sentence.

    Raises:
        ClassifierNotFound: There is none of that name.
        StorageError: The database cannot be used.
        OSError: A file cannot be written.
    """
    seconds = settings.database_seconds
    with _database(settings) as engine:
        origin = origin_of_classifier(engine, checked_classifier(name))
        if origin is None:
            raise ClassifierNotFound(name)
        store = Store(engine, origin, contents=Contents.opened(engine, None, seconds))
        if (stored := store.load(name)) is None:
            raise ClassifierNotFound(name)
        kept = 0
        read = contents_in_order(store, stored)

        def content(place: int) -> bytes | None:
            nonlocal kept
            found = read(place) if images else None
            kept += found is not None
            return found

        with written_whole(file) as part, part.open("wb") as written:
            write_file(written, exported(stored, origin), content)
        if index is not None:
            write_index_files(stored, origin, index, index.with_name(f"{index.name}.json"))
    return (
        f"{len(stored.classes)} classes and {len(stored.support)} support images of {name}, "
        f"{kept or 'none'} of them with their bytes, are in {file}"
    )


def import_classifier(
    settings: Settings, file: Path, name: str, load_backbone: Callable[[ChooseRecipe], Encoder]
) -> str:
    """Create a classifier from a file, all of it or nothing.

    Args:
        settings: Of the database and the backbone.
        file: What :func:`export_classifier` wrote.
        name: The classifier's from now on.
        load_backbone: Called once the file is known to be one, with what chooses the recipe.

    Returns:
        What was done, in a sentence.

    Raises:
        StatusProblem: The file cannot be imported; the detail says why.
        StorageError, BackboneError: The database or the backbone cannot be used.
    """
    checked_classifier(name)
    limits = ReadLimits(
        classes=settings.max_classes, images=MOST_IMAGES, image_bytes=settings.max_image_bytes
    )
    with file.open("rb") as opened, _database(settings) as engine:
        read = read_classifier(opened, limits)
        asked = asked_recipe(settings)
        backbone = load_backbone(DatabaseRecipe(asked, stored_fingerprints(engine)))
        own = origin_of(backbone, settings)
        check_fingerprints(engine, own)
        contents = Contents.opened(engine, settings.images, settings.database_seconds)
        store = Store(engine, own, store_images=settings.store_images, contents=contents)
        imports = Registry(
            store,
            backbone,
            limits=SizeLimits(max_classes=settings.max_classes, max_texts=settings.max_texts),
            memory=settings.classifier_memory,
            freshness=RevisionCheck(store),
            cache=CacheSettings(settings.cache_storage, settings.cache_exact_up_to),
        ).imports
        if read.classifier.settings.prompts is not None:
            raise InvalidSettings(
                "The classifier in the file has prompts of its own, which a running service alone"
                f" embeds with: PUT them to /v1/prompts/{read.classifier.settings.prompts}, and the"
                f" file to /v1/classifiers/{name}/import."
            )
        anew = has_to_be_embedded(read, backbone, backbone.fingerprint)
        if imports.is_there(name, read):
            return f"{name} is there already, as it is in the file; nothing was done"
        embedded = _embedded(read, backbone, settings, name) if anew else None
        given, texts = (
            Import(file=read, embedded=embedded, fingerprint=backbone.fingerprint),
            ClassTexts(),
        )
        while True:
            try:
                imports.create(name, given, texts)
                break
            except TextsNeeded as needed:
                rows = backbone.encode_classes(needed.labels, needed.templates)
                texts = texts.with_more(ClassTexts.of(needed, rows))
    found = read.classifier
    how = f", embedded anew by {backbone.name}" if anew else ""
    return (
        f"{name} is there with {len(found.classes)} classes and {len(found.labels)} support images"
        f"{how}; now start the service"
    )


@contextmanager
def _database(settings: Settings) -> Iterator[Engine]:
    """The database, for this command alone where it can be claimed."""
    lock = lock_database(settings.sqlalchemy_url)
    try:
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
        try:
            yield engine
        finally:
            engine.dispose()
    finally:
        if lock is not None:
            lock.release()


def _embedded(
    file: ClassifierFile, backbone: Encoder, settings: Settings, name: str
) -> dict[str, EmbeddedImage]:
    async def embed() -> dict[str, EmbeddedImage]:
        embedder = ImageEmbedder(backbone, settings)
        try:
            return await embed_images(file, embedder, name, until_done)
        finally:
            embedder.close()

    return asyncio.run(embed())
