"""Moves a database to another backbone: every stored image is embedded anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi_problem.error import StatusProblem
from rich.console import Console
from rich.progress import track
from sqlalchemy import Engine

from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from service.encoder import origin_of
from service.images.decoding import DecodedImage, decode
from service.problems import ClassifierDamaged, ImageDamaged, OtherBackbone
from service.registry.fitting import class_set, class_texts, new_classifier, support_set
from service.registry.negatives import id_of_negatives, parted
from service.settings import Settings
from service.storage.change import Change
from service.storage.contents import Contents
from service.storage.errors import Outdated, StorageError
from service.storage.fingerprints import remember
from service.storage.query_embeddings import with_queries
from service.storage.stale import StaleEmbeddings, StaleImage
from service.tenancy import bare

# Of one classifier that a service with the old backbone changes meanwhile.
_ATTEMPTS = 5
# Images that a message names.
_NAMED = 20


def re_embed(engine: Engine, backbone: Encoder, settings: Settings, console: Console) -> int:
    """Embed all stored images and class names with this backbone, and tune each classifier.

    May be interrupted and started again: it goes on where it was. The service refuses to start
    in between, and one that runs beside it on a server answers 503 for what is embedded anew: at
    once where a classifier is done, before that where it has to read one.

    Returns:
        The number of images embedded.

    Raises:
        StorageError: Classifiers have prompts of the old backbone, or images were not kept, or
            cannot be decoded, so they cannot be embedded (nothing was changed then); a classifier
            cannot be read; or others kept changing one.
    """
    own = origin_of(backbone, settings)
    remember(engine, own)
    contents = Contents.opened(engine, None, settings.database_seconds)
    stale = StaleEmbeddings(engine, own, contents)
    if prompted := stale.prompted():
        raise StorageError(
            f"{len(prompted)} classifiers have prompts of their own, which were trained for the "
            f"backbone that the database is of: {', '.join(map(bare, prompted[:_NAMED]))}. Give "
            "them none (PUT /v1/classifiers/NAME with prompts: null) while the old backbone "
            "serves, or delete them, and do this again"
        )
    count = _embed(stale, backbone, settings, console)
    damaged = []
    for name in track(stale.classifiers(), "tuning classifiers", console=console):
        for attempt in range(_ATTEMPTS):
            try:
                _retune(stale, backbone, name)
                break
            except ClassifierDamaged as error:
                damaged.append(str(error.detail))
                break
            except (OtherBackbone, Outdated) as error:
                # A service with the old backbone has changed it meanwhile.
                if attempt == _ATTEMPTS - 1:
                    raise StorageError(
                        f"classifier {name!r} is being changed by a service with the old "
                        "backbone: stop that one, and do this again"
                    ) from error
                count += _embed(stale, backbone, settings, console)
    if damaged:
        raise StorageError(
            f"{count} images were embedded; {len(damaged)} classifiers could not be: "
            + "; ".join(damaged)
        )
    return count


def _embed(stale: StaleEmbeddings, backbone: Encoder, settings: Settings, console: Console) -> int:
    """Embed all images that are not yet."""
    images = stale.images()
    if lost := sum(not image.kept for image in images):
        raise StorageError(
            f"{lost} of {len(images)} support images were not kept (HANDFUL_STORE_IMAGES=false), "
            "so they cannot be embedded with another backbone. Delete their classes while the "
            "old backbone serves, or begin with another --data-dir and register them again"
        )
    _check(stale, images, backbone, settings, console)
    step = settings.max_batch or backbone.batch
    batches = _batches(images, step)
    for batch in track(batches, f"embedding {len(images)} images", console=console):
        contents = stale.contents([one.id for one in batch])
        pictures = [_decoded(content, backbone, settings) for content in contents]
        stale.replace(embedded(batch, pictures, backbone, step))
    return len(images)


def embedded(
    images: Sequence[StaleImage],
    pictures: Sequence[DecodedImage],
    encoder: Encoder,
    step: int,
) -> dict[int, dict[int, ImageEmbeddings]]:
    """Embeddings of images by their ids and numbers of views, one row each.

    Args:
        images: Some.
        pictures: Theirs.
        encoder: What embeds them, when nobody waits for it.
        step: Most views in one pass.
    """
    pixels = []
    for image, picture in zip(images, pictures, strict=True):
        pixels += encoder.preprocess_views(picture.pixels, _most_views(image), image.sha256)
    rows = ImageEmbeddings.concatenate(
        [
            encoder.encode_pictures(pixels[i : i + step], background=True)
            for i in range(0, len(pixels), step)
        ]
    )
    found = {}
    start = 0
    for image in images:
        # Fewer views are the first of more.
        found[image.id] = {
            n: averaged(rows[start : start + n]) if n > 1 else rows[start : start + 1]
            for n in (1, *image.views)
        }
        start += _most_views(image)
    return found


def _batches(images: Sequence[StaleImage], step: int) -> list[list[StaleImage]]:
    """Images in their order, those of a batch with ``step`` views together, or a few more."""
    batches: list[list[StaleImage]] = []
    passes = step
    for image in images:
        if passes >= step:
            batches.append([])
            passes = 0
        batches[-1].append(image)
        passes += _most_views(image)
    return batches


def _most_views(image: StaleImage) -> int:
    return max(1, *image.views) if image.views else 1


def _check(
    stale: StaleEmbeddings,
    images: Sequence[StaleImage],
    backbone: Encoder,
    settings: Settings,
    console: Console,
) -> None:
    """See that all images can be decoded, before the first one is changed.

    Other limits or another version's decoder may refuse what was taken once. Only while nothing
    is changed does the service start with the old backbone, so that they can be deleted.
    """
    refused: list[str] = []
    shown = track(images, f"looking at {len(images)} images", console=console)
    read = stale.read(image.id for image in images)
    for image, content in zip(shown, read, strict=True):
        try:
            _decoded(content, backbone, settings)
        except StatusProblem as error:
            refused += [f"{use}: {error.detail}" for use in stale.uses(image.id)]
    if refused:
        more = len(refused) - _NAMED
        raise StorageError(
            f"{len(refused)} support images cannot be decoded, so none of the {len(images)} images "
            f"was embedded. {' '.join(refused[:_NAMED])}{f' And {more} more.' * (more > 0)} "
            "Delete them while the old backbone serves (DELETE and this path), and do this again"
        )


def _decoded(content: bytes | ImageDamaged, backbone: Encoder, settings: Settings) -> DecodedImage:
    if isinstance(content, ImageDamaged):
        raise content
    return decode(content, settings.max_image_pixels, "It", side=backbone.image_size)


def _retune(stale: StaleEmbeddings, backbone: Encoder, name: str) -> None:
    """Embed the class names of a classifier and tune its head on the new embeddings."""
    stored = stale.load(name)
    if stored is None:
        return
    settings = stored.record.settings
    labels = [record.label for record in stored.classes]
    classes = tuple(
        replace(record, text=text)
        for record, text in zip(
            stored.classes, class_texts(settings, labels, backbone), strict=True
        )
    )
    mark = id_of_negatives({record.label: record for record in classes})
    every = support_set(stored, backbone)
    if settings.support_views > 1:
        every = with_queries(every, stale.query_embeddings(name))
    support, negatives = parted(every, mark)
    texts = {record.id: record.text for record in classes}
    tuning = new_classifier(settings, backbone).tune(
        class_set(settings, texts, set(support.labels.tolist()), mark),
        support.labelled,
        negatives=negatives,
    )
    stale.write(stored.record.state, Change(tuning=tuning, classes_renewed=classes))
