"""Known support set: what is registered already, read from a folder or an exported classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import SupportSet
from service.classifier_settings import ClassifierSettings
from service.datasets.dataset import DatasetError, read_classes
from service.datasets.features import Features
from service.exchange import MOST_IMAGES, ExportedClassifier, ReadLimits, read_classifier
from service.registry.fitting import class_texts, fitted_to, usable
from service.registry.negatives import place_of_negatives
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class KnownSupport:
    """A support set with its classifier.

    Attributes:
        classifier: Fitted; its classes are numbered as ``labels``.
        labels: The classes, that of explicit negatives among them, which is never answered.
        files: Of the support images, and of the explicit negatives after them, as CLASS/IMAGE, in
            their order; empty where nobody kept it.
    """

    classifier: FewShotClassifier
    labels: list[str]
    files: list[str]

    @classmethod
    def of_folder(
        cls,
        classes: dict[str, tuple[Path, ...]],
        encoder: Backbone,
        features: Features,
        templates: Sequence[str],
    ) -> Self:
        """Embed the images of classes, and fit a classifier with default settings.

        Args:
            classes: Image files of each class (:func:`service.datasets.dataset.read_classes`).
            encoder: The backbone.
            features: Embeds.
            templates: Of the class texts; those of the backbone if there are none.

        Raises as :meth:`service.datasets.features.Features.compute`.
        """
        labels = list(classes)
        files = [path for label in labels for path in classes[label]]
        columns = [column for column, label in enumerate(labels) for _ in classes[label]]
        shown = [f"{label}/{path.name}" for label in labels for path in classes[label]]
        features.compute(files)
        settings = ClassifierSettings(templates=tuple(templates))
        texts = class_texts(settings, labels, encoder)
        mark = place_of_negatives(labels)
        every = SupportSet(torch.arange(len(files)), torch.tensor(columns), features.of(files))
        fitted = fitted_to(settings, texts, every, encoder, negatives=mark)
        return cls(fitted, labels, _in_order(shown, fitted))

    @classmethod
    def of_file(cls, path: Path, found: ExportedClassifier, encoder: Backbone) -> Self:
        """Take a classifier from its file.

        Args:
            path: Of the file.
            found: What :func:`read_exported` read there.
            encoder: The backbone.

        Raises:
            DatasetError: It is of another backbone.
        """
        if found.settings.prompts is not None:
            raise DatasetError(
                f"{path} is of a classifier with prompts of its own ({found.settings.prompts}), "
                "which a running service alone embeds with; ask that one (--url)"
            )
        if found.source.fingerprint != encoder.fingerprint:
            raise DatasetError(
                f"{path} holds embeddings of the backbone {found.source}, not of {encoder.name} "
                f"({encoder.fingerprint[:12]}...); name that one with --backbone, --adapter and "
                "--prompts"
            )
        labels = [one.label for one in found.classes]
        texts = [None] * len(labels) if found.texts is None else list(found.texts)
        mark = place_of_negatives(labels)
        every = SupportSet.empty(encoder.width, encoder.corrected_width)
        if len(found.labels):
            ids = torch.arange(len(found.labels))
            every = SupportSet(ids, found.labels, found.embeddings)
        tuning = usable(found.settings, found.tuning)
        fitted = fitted_to(found.settings, texts, every, encoder, negatives=mark, tuning=tuning)
        files = [""] * len(every)
        if found.images is not None:
            files = [f"{image.label}/{Path(image.filename).name}" for image in found.images]
        return cls(fitted, labels, _in_order(files, fitted))


def _in_order(files: Sequence[str], fitted: FewShotClassifier) -> list[str]:
    others = fitted.negatives
    ids = fitted.support.ids.tolist() + ([] if others is None else others.ids.tolist())
    return [files[i] for i in ids]


def read_exported(path: Path, settings: Settings) -> ExportedClassifier:
    """Read what ``handful export`` or ``GET .../export`` wrote.

    Raises:
        StatusProblem: It is no such file; the detail says why.
        OSError: It cannot be read.
    """
    limits = ReadLimits(
        classes=settings.max_classes, images=MOST_IMAGES, image_bytes=settings.max_image_bytes
    )
    with path.open("rb") as file:
        return read_classifier(file, limits).classifier


def read_support(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Image files of each class, in the order of the classes' names.

    Raises:
        DatasetError: As :func:`service.datasets.dataset.read_classes`.
    """
    return dict(sorted(read_classes(folder).items()))
