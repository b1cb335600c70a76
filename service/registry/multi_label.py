"""Classifiers whose images may have several labels: what they take, and one image as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from adapters.embeddings import ImageEmbeddings
from adapters.heads import DEFAULT_HEAD
from service.classifier_settings import ClassifierSettings
from service.images.embedded import SupportImage
from service.problems import InvalidSettings
from service.storage.records import SupportRecord


def check_several_labels(settings: ClassifierSettings) -> None:
    """See that the other settings have a meaning where images may have several labels.

    Raises:
        InvalidSettings: One has none.
    """
    if not settings.multi_label:
        return
    if settings.method != DEFAULT_HEAD:
        raise InvalidSettings(
            f"The method {settings.method} names one class for each image. With multi_label set"
            f" method to {DEFAULT_HEAD}, or leave it out."
        )
    if settings.coverage is not None:
        raise InvalidSettings(
            "A prediction set holds the one right class of an image, and with multi_label there may"
            " be several, or none. Set coverage to null; each class has a threshold of its own."
        )


def check_single_labels(records: Iterable[SupportRecord]) -> None:
    """See that no image has several labels, where each is to have one from now on.

    Args:
        records: All support images.

    Raises:
        InvalidSettings: Some have.
    """
    labels = Counter(record.sha256 for record in records)
    if several := sum(count > 1 for count in labels.values()):
        raise InvalidSettings(
            f"{several} images are in several classes, so multi_label cannot be set to false: which"
            " one would be right? Delete them from all but one of their classes first."
        )


def embedded_once(
    added: Sequence[SupportImage], held: Mapping[str, ImageEmbeddings]
) -> tuple[SupportImage, ...]:
    """Images of a change with one embedding for each content, to the last bit.

    By that their rows are known to be of one image; what was embedded twice differs by rounding.

    Args:
        added: Images of the change.
        held: Embeddings of those that the classifier has already, by their SHA-256.
    """
    first = dict(held)
    return tuple(
        SupportImage(
            label,
            replace(image, embeddings=first.setdefault(image.sha256, image.embeddings)),
        )
        for label, image in added
    )
