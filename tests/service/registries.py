"""Registries over a real database, and images to put into them, without a service around."""

from __future__ import annotations

import hashlib

import torch
from sqlalchemy import Engine
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.classifiers.registry import Registry
from service.images.embedding import EmbeddedImage
from service.storage.records import ClassifierSettings
from service.storage.store import Store

SETTINGS = ClassifierSettings("tip-adapter")


def registry(store: Store, backbone: Backbone, memory: int = 1, *, alone: bool = True) -> Registry:
    """By default there is room for one classifier, the one used last."""
    return Registry(
        store, backbone, store_images=False, max_classes=100, memory=memory, alone=alone
    )


def plain_store(engine: Engine, backbone: Backbone) -> Store:
    return Store(engine, backbone.fingerprint, backbone.name)


def embeddings(seed: int) -> ImageEmbeddings:
    rows = torch.randn(2, 1, 32, generator=torch.Generator().manual_seed(seed))
    return ImageEmbeddings(normalize(rows[0]), normalize(rows[1]))


def image(seed: int) -> EmbeddedImage:
    digest = hashlib.sha256(str(seed).encode()).hexdigest()
    return EmbeddedImage(f"{seed}.png", bytes, digest, "image/png", 4, 3, embeddings(seed))


def fill(made: Registry, *names: str) -> None:
    """Make classifiers of two classes with two images each."""
    for number, name in enumerate(names):
        made.put(name, SETTINGS, ["ant", "bee"])
        made.add_images(
            name, [("ant" if i < 2 else "bee", image(4 * number + i)) for i in range(4)]
        )


def n_images(made: Registry, name: str) -> int:
    """As an answer tells."""
    [answer] = made.live(name).predict(embeddings(999), 1, 1000)
    return len(answer.evidence)
