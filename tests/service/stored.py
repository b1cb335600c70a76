"""Classifiers written to a store without a service: tiny embeddings, and no tuning to wait for."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import torch
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from adapters.heads.auto import AutoParameters
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.storage.change import Change, NewClass, Written
from service.storage.fingerprints import Origin
from service.storage.records import StoredClassifier
from service.storage.store import Store
from service.storage.tables import Base

OWN = Origin("f" * 64, "lite")
TUNING = Tuning(
    AutoParameters(names=0.5, krr=3.5),
    temperature=1.25,
    votes=4,
    accuracy=0.75,
    head="auto",
)


def embeddings(seed: int) -> ImageEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    return ImageEmbeddings(
        normalize(torch.randn(1, 8, generator=generator)),
        normalize(torch.randn(1, 12, generator=generator)),
    )


def sha256_of(seed: int) -> str:
    """Of the bytes of an image of :func:`support`."""
    return sha256(bytes([seed])).hexdigest()


def seed_of(sha256: str) -> int:
    """Of which image that is."""
    return next(seed for seed in range(256) if sha256_of(seed) == sha256)


def support(seed: int, label: str, **other: Any) -> SupportImage:
    image = EmbeddedImage(
        filename=f"{seed}.png",
        read=lambda: bytes([seed]),
        sha256=sha256_of(seed),
        media_type="image/png",
        width=4,
        height=3,
        fingerprint=OWN.fingerprint,
        embeddings=embeddings(seed),
    )
    return SupportImage(label, replace(image, **other))


def create(store: Store, name: str, *labels: str) -> None:
    classes = tuple(NewClass(label=label) for label in labels)
    settings = ClassifierSettings()
    store.create(name, Change(settings=settings, tuning=TUNING, classes_added=classes))


def write(store: Store, name: str, **change: Any) -> Written:
    return store.write(loaded(store, name).record.state, Change(tuning=TUNING, **change))


def loaded(store: Store, name: str) -> StoredClassifier:
    stored = store.load(name)
    assert stored is not None
    return stored


def rows(engine: Engine, table: type[Base]) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0
