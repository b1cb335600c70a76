"""Moves a database to another backbone: every stored image is embedded anew."""

from __future__ import annotations

from dataclasses import replace

import torch
from rich.console import Console
from rich.progress import track
from sqlalchemy import Engine

from adapters.backbones import Backbone
from service.classifiers.fitting import class_set, class_texts, new_classifier, support_set
from service.images.decoding import decode
from service.settings import Settings
from service.storage.engine import StorageError
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store


def re_embed(engine: Engine, backbone: Backbone, settings: Settings, console: Console) -> int:
    """Embed all stored images and class names with this backbone, and tune each classifier.

    May be interrupted and started again: it goes on where it was. The service refuses to start
    in between. Costs one pass of the encoder for each image.

    Returns:
        The number of images embedded.

    Raises:
        StorageError: Images were not kept, so they cannot be embedded; nothing was changed.
    """
    store = Store(engine, backbone.fingerprint, backbone.name)
    stale = StaleEmbeddings(engine, backbone.fingerprint)
    images = stale.images()
    if lost := sum(not image.kept for image in images):
        raise StorageError(
            f"{lost} of {len(images)} support images were not kept (HANDFUL_STORE_IMAGES=false), "
            "so they cannot be embedded with another backbone. Delete their classes while the "
            "old backbone serves, or begin with another --data-dir and register them again"
        )
    step = settings.max_batch or backbone.batch
    ids = [image.id for image in images]
    batches = [ids[i : i + step] for i in range(0, len(ids), step)]
    for batch in track(batches, f"embedding {len(ids)} images", console=console):
        pixels = [
            backbone.preprocess(
                decode(
                    content,
                    settings.max_image_pixels,
                    f"The support image {image_id}",
                    side=backbone.image_size,
                ).pixels
            )
            for image_id, content in zip(batch, stale.contents(batch), strict=True)
        ]
        stale.replace(batch, backbone.encode_images(torch.stack(pixels)))
    for name in track(stale.classifiers(), "tuning classifiers", console=console):
        _settle(store, backbone, name)
    return len(ids)


def _settle(store: Store, backbone: Backbone, name: str) -> None:
    """Embed the class names of a classifier and tune its head on the new embeddings."""
    stored = store.load(name)
    if stored is None:
        return
    settings = stored.record.settings
    labels = [record.label for record in stored.classes]
    texts = class_texts(settings, labels, backbone)
    classes = [
        replace(record, text=text) for record, text in zip(stored.classes, texts, strict=True)
    ]
    support = support_set(stored, backbone)
    tuning = new_classifier(settings, backbone).tune(
        class_set(settings, classes, support.labels), support
    )
    store.change(stored.record.id, tuning, texts=[(record.id, record.text) for record in classes])
