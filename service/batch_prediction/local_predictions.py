"""Predictions by a classifier of a database that no service uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fastapi_problem.error import StatusProblem

from adapters.cache import CacheSettings
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from adapters.recipe import ChooseRecipe
from service.batch_prediction.prediction_file import PredictionRow
from service.encoder import asked_recipe, origin_of
from service.encoding.image_embedder import ImageEmbedder
from service.images.uploaded import UploadedImage
from service.name_validation import checked_classifier
from service.precision.database_recipe import DatabaseRecipe
from service.problems import InvalidUpload
from service.prompts import prompted_encoders
from service.registry.freshness import RevisionCheck
from service.registry.limits import SizeLimits
from service.registry.live import LiveClassifier
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.fingerprints import check_fingerprints, stored_fingerprints
from service.storage.lock import lock_database
from service.storage.store import Store

# Images of a piece: a few batches of the encoder.
_PIECE = 64

Predict = Callable[[Path, Sequence[str]], Iterator[PredictionRow]]
"""Answers files below a folder, in their order, as they are done."""


@contextmanager
def local_predictions(
    settings: Settings, name: str, load: Callable[[ChooseRecipe], Encoder]
) -> Iterator[Predict]:
    """What a classifier of a database says of files, as a service that has it would.

    Args:
        settings: Of the database and the backbone.
        name: The classifier's.
        load: Loads the backbone in the recipe that is chosen.

    Raises:
        ClassifierNotFound, NoClasses: There is nothing to ask.
        StorageError, BackboneError: The database or the backbone cannot be used.
    """
    checked_classifier(name)
    lock = lock_database(settings.sqlalchemy_url)
    try:
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
        try:
            backbone = load(DatabaseRecipe(asked_recipe(settings), stored_fingerprints(engine)))
            own = origin_of(backbone, settings)
            check_fingerprints(engine, own)
            prompted = prompted_encoders(engine, backbone, settings)
            store = Store(engine, own, accepts=prompted.can_embed, prompted=prompted.knows)
            registry = Registry(
                store,
                backbone,
                limits=SizeLimits(max_classes=settings.max_classes, max_texts=settings.max_texts),
                memory=settings.classifier_memory,
                freshness=RevisionCheck(store),
                cache=CacheSettings(settings.cache_storage, settings.cache_exact_up_to),
            )
            live = registry.live(name)
            with asyncio.Runner() as runner:
                embedder = prompted.embedder(live.fingerprint)
                if embedder is None:
                    embedder = ImageEmbedder(backbone, settings)
                try:
                    yield partial(_rows, live, embedder, runner)
                finally:
                    embedder.close()
        finally:
            engine.dispose()
    finally:
        if lock is not None:
            lock.release()


def _rows(
    live: LiveClassifier,
    embedder: ImageEmbedder,
    runner: asyncio.Runner,
    folder: Path,
    names: Sequence[str],
) -> Iterator[PredictionRow]:
    for start in range(0, len(names), _PIECE):
        piece = names[start : start + _PIECE]
        images = [UploadedImage(name, partial(_read, folder / name)) for name in piece]
        rows = runner.run(embedder.ask_each(images, live.name))
        queries = [one for one in rows if isinstance(one, ImageEmbeddings)]
        answers = iter(live.predict(ImageEmbeddings.concatenate(queries), 1, 0) if queries else ())
        for name, one in zip(piece, rows, strict=True):
            if isinstance(one, StatusProblem):
                error = one.detail or one.title
                yield PredictionRow(file=name, classifier=live.name, error=error)
                continue
            answer = next(answers)
            yield PredictionRow(
                file=name,
                classifier=live.name,
                label=answer.top_k[0].label,
                probability=answer.top_k[0].probability,
                known=answer.known,
                p_value=answer.p_value,
                prediction_set=answer.prediction_set if answer.labels is None else answer.labels,
            )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidUpload(f"The image cannot be read: {error.strerror}.") from error
