"""Registries over a real database, and images to put into them, without a service around."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from sqlalchemy import Engine
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.freshness import AlwaysFresh, RevisionCheck
from service.registry.limits import SizeLimits
from service.registry.registered import Registered
from service.registry.registry import Registry
from service.storage.fingerprints import Origin
from service.storage.store import Store

SETTINGS = ClassifierSettings(method="tip-adapter")
T = TypeVar("T")


class SelfNaming(Registry):
    """Embeds the class names that it needs by itself, as the API does for it otherwise."""

    def __init__(self, store: Store, backbone: Backbone, **others: Any) -> None:
        super().__init__(store, backbone, **others)
        self._backbone = backbone

    def put(self, *args: Any) -> bool:
        return self._naming(super().put, *args)

    def put_class(self, *args: Any) -> bool:
        return self._naming(super().put_class, *args)

    def add_images(
        self, name: str, images: Sequence[Any], top_k: int | None = None, *_: Any
    ) -> list[Registered]:
        own = self._store.fingerprint
        given = [SupportImage(label, replace(image, fingerprint=own)) for label, image in images]
        return self._naming(super().add_images, name, given, top_k)

    def _naming(self, call: Callable[..., T], *args: Any) -> T:
        texts = ClassTexts()
        while True:
            try:
                return call(*args, texts)
            except TextsNeeded as needed:
                rows = self._backbone.encode_classes(needed.labels, needed.templates)
                texts = texts.with_more(ClassTexts.of(needed, rows))


def registry(
    store: Store, backbone: Backbone, memory: int = 1, *, one_of_several: bool = False
) -> Registry:
    """By default there is room for one classifier, the one used last."""
    return SelfNaming(
        store,
        backbone,
        limits=SizeLimits(max_classes=100, max_texts=1000),
        memory=memory,
        freshness=RevisionCheck(store) if one_of_several else AlwaysFresh(),
    )


def plain_store(engine: Engine, backbone: Backbone, *, store_images: bool = False) -> Store:
    own = Origin(backbone.fingerprint, backbone.name)
    return Store(engine, own, store_images=store_images)


def owned(made: Registry, images: Mapping[str, EmbeddedImage]) -> dict[str, EmbeddedImage]:
    """Images as embedded by the backbone of a registry."""
    own = made._store.fingerprint
    return {key: replace(image, fingerprint=own) for key, image in images.items()}


def embeddings(seed: int) -> ImageEmbeddings:
    rows = torch.randn(2, 1, 32, generator=torch.Generator().manual_seed(seed))
    return ImageEmbeddings(normalize(rows[0]), normalize(rows[1]))


def image(seed: int) -> EmbeddedImage:
    """An image as embedded by the backbone of the registry that it is given to."""
    digest = hashlib.sha256(str(seed).encode()).hexdigest()
    return EmbeddedImage(
        filename=f"{seed}.png",
        read=bytes,
        sha256=digest,
        media_type="image/png",
        width=4,
        height=3,
        fingerprint="",
        embeddings=embeddings(seed),
    )


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
