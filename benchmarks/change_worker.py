"""A version of Handful changes a classifier; prints what it took, as JSON.

Run by `benchmarks.changes` with the version to be measured on PYTHONPATH. The encoder is loaded,
for the fingerprint of the database, and never asked: embeddings are drawn (a direction for each
class and noise; the corrected ones without negative components, as those of `lite`).

    python benchmarks/change_worker.py fill|single|chunks|follow FOLDER IMAGES CLASSES [CHANGES]
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
import time
from pathlib import Path

import psutil
import torch
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from service.classifier_settings import ClassifierSettings
from service.composition import ServiceParts
from service.images.embedded import EmbeddedImage, SupportImage
from service.registry.freshness import RevisionCheck
from service.registry.limits import SizeLimits
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.change import Change, NewClass

NAME = "benchmark"
# Images that a classifier of another size is tuned on, whose tuning serves all.
_TUNED_ON, _WRITTEN = 1000, 1000
# Seconds to wait for a tuning in the background.
_PATIENCE = 300


class Drawn:
    """Embeddings of any number of images, the same ones each time."""

    def __init__(self, parts: ServiceParts, n_classes: int) -> None:
        rng = torch.Generator().manual_seed(0)
        self.fingerprint = parts.store.fingerprint
        widths = parts.backbone.width, parts.backbone.corrected_width
        self.labels = [f"class {i}" for i in range(n_classes)]
        self.centres = [torch.randn(n_classes, d, generator=rng) / 2 for d in widths]
        self.texts = normalize(self.centres[0] + torch.randn(n_classes, widths[0]), dim=1)

    def embeddings(self, start: int, n: int) -> ImageEmbeddings:
        """Of the images ``start`` to ``start + n``; their classes take turns."""
        rng = torch.Generator().manual_seed(start + 1)
        columns = self.columns(start, n)
        frozen, corrected = (
            centres[columns] + torch.randn(n, centres.shape[1], generator=rng)
            for centres in self.centres
        )
        return ImageEmbeddings(normalize(frozen, dim=1), normalize(corrected.relu(), dim=1))

    def columns(self, start: int, n: int) -> torch.Tensor:
        """(n,) columns of their classes."""
        return torch.arange(start, start + n) % len(self.labels)

    def images(self, start: int, n: int) -> list[SupportImage]:
        """The images, as they come to the registry."""
        embeddings = self.embeddings(start, n)
        return [
            SupportImage(
                self.labels[column],
                EmbeddedImage(
                    filename=f"{start + i}.jpg",
                    read=bytes,
                    sha256=hashlib.sha256(str(start + i).encode()).hexdigest(),
                    media_type="image/jpeg",
                    width=224,
                    height=224,
                    fingerprint=self.fingerprint,
                    embeddings=embeddings[i : i + 1],
                ),
            )
            for i, column in enumerate(self.columns(start, n).tolist())
        ]


def fill(parts: ServiceParts, drawn: Drawn, n: int) -> None:
    """Write a classifier of n images straight to the tables, with a tuning of fewer."""
    head = FewShotClassifier(logit_scale=parts.backbone.logit_scale)
    few = min(n, _TUNED_ON)
    support = LabelledEmbeddings(drawn.columns(0, few), drawn.embeddings(0, few))
    tuning = head.tune(ClassSet(torch.arange(len(drawn.labels)), drawn.texts), support)
    classes = tuple(
        NewClass(label=label, text=text)
        for label, text in zip(drawn.labels, drawn.texts, strict=True)
    )
    settings = ClassifierSettings()
    parts.store.create(NAME, Change(settings=settings, tuning=tuning, classes_added=classes))
    for start in range(0, n, _WRITTEN):
        record = parts.store.classifier(NAME)
        assert record is not None
        added = tuple(drawn.images(start, min(_WRITTEN, n - start)))
        parts.store.write(record.state, Change(tuning=tuning, added=added))


def single(parts: ServiceParts, drawn: Drawn, n: int, changes: int) -> dict[str, list[float]]:
    """Milliseconds from an image's embeddings to the end of the next query; deleting one too."""
    registry = parts.registry
    registry.live(NAME).predict(drawn.embeddings(0, 1), 3, 3)
    added, deleted = [], []
    for i in range(changes):
        [image] = drawn.images(n + i, 1)
        begun = time.perf_counter()
        [told] = registry.add_images(NAME, [image])
        registry.live(NAME).predict(image.image.embeddings, 3, 3)
        added.append(1e3 * (time.perf_counter() - begun))
        time.sleep(0.05)
        if i % 2:
            begun = time.perf_counter()
            registry.delete_image(NAME, told.label, told.record.public_id)
            registry.live(NAME).predict(image.image.embeddings, 3, 3)
            deleted.append(1e3 * (time.perf_counter() - begun))
            time.sleep(0.05)
    return {"added": added, "deleted": deleted}


def chunks(parts: ServiceParts, drawn: Drawn, n: int, size: int) -> dict[str, list[float]]:
    """Milliseconds of each request of so many images, and memory beside the embeddings."""
    registry, took, memory = parts.registry, [], []
    widths = parts.backbone.width + parts.backbone.corrected_width
    process = psutil.Process()
    before = process.memory_info().rss
    for start in range(0, n, size):
        images = drawn.images(start, size)
        begun = time.perf_counter()
        registry.add_images(NAME, images)
        took.append(1e3 * (time.perf_counter() - begun))
        held = 4 * widths * (start + size)
        memory.append((process.memory_info().rss - before) / held)
    for _ in range(_PATIENCE):
        record = parts.store.classifier(NAME)
        if getattr(getattr(record, "tuning_state", None), "is_current", True):
            break
        time.sleep(1)
    ctypes.CDLL(None).malloc_trim(0)  # what is free, but not given back, is nobody's
    rested = (process.memory_info().rss - before) / (4 * widths * n)
    return {"took": took, "memory": memory, "rested": [rested]}


def follow(parts: ServiceParts, drawn: Drawn, n: int, changes: int) -> dict[str, list[float]]:
    """Milliseconds until another process's registry answers from a change of one image."""
    other = Registry(
        parts.store,
        parts.backbone,
        limits=SizeLimits(max_classes=10_000, max_texts=10_000),
        memory=2**34,
        freshness=RevisionCheck(parts.store),
    )
    other.live(NAME)
    seen = []
    for i in range(changes):
        [image] = drawn.images(n + i, 1)
        parts.registry.add_images(NAME, [image])
        begun = time.perf_counter()
        other.live(NAME).predict(image.image.embeddings, 3, 3)
        seen.append(1e3 * (time.perf_counter() - begun))
        time.sleep(0.2)
    return {"seen": seen}


def main() -> None:
    """Do what the arguments say."""
    what, folder, n, n_classes, *more = sys.argv[1:]
    changes = int(more[0]) if more else 40
    settings = Settings(data_dir=Path(folder), classifier_memory=2**34, store_images=False)
    parts = ServiceParts.start(settings)
    drawn = Drawn(parts, int(n_classes))
    images = 0 if what == "chunks" else int(n)
    if parts.store.classifier(NAME) is None:
        fill(parts, drawn, images)
    told: dict[str, list[float]] = {}
    if what == "single":
        told = single(parts, drawn, images, changes)
    elif what == "chunks":
        told = chunks(parts, drawn, int(n), changes)
    elif what == "follow":
        told = follow(parts, drawn, images, changes)
    print(json.dumps(told))
    parts.close()


if __name__ == "__main__":
    main()
