"""What a classifier is fitted with: its settings, classes and images as the science sees them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import torch
from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, SupportSet
from adapters.encoder import Encoder
from adapters.heads import HEADS, Tuning
from adapters.multi_label import MultiLabelClassifier
from adapters.multi_label.head import MultiLabelParameters
from service.classifier_settings import ClassifierSettings
from service.registry.negatives import parted
from service.storage.errors import Damaged
from service.storage.records import StoredClassifier


def new_classifier(
    settings: ClassifierSettings, backbone: Encoder, cache: CacheSettings = DEFAULT_SETTINGS
) -> FewShotClassifier:
    """Make the classifier that the settings ask for; it is not fitted yet."""
    if settings.multi_label:
        return MultiLabelClassifier(backbone.logit_scale, cache=cache)
    return FewShotClassifier(
        settings.method,
        backbone.logit_scale,
        false_rejection_rate=settings.false_rejection_rate,
        coverage=settings.coverage,
        cache=cache,
    )


def class_texts(
    settings: ClassifierSettings, labels: Sequence[str], backbone: Encoder
) -> Sequence[Tensor | None]:
    """The (d,) text embedding of each label; None where names carry no meaning."""
    if not settings.names_carry_meaning or not labels:
        return [None] * len(labels)
    return list(backbone.encode_classes(labels, settings.templates))


def support_set(stored: StoredClassifier, backbone: Encoder) -> SupportSet:
    """The support images of a stored classifier.

    What they are as queries is not known here if they are averages of views
    (:func:`service.storage.query_embeddings.with_queries`).
    """
    if not stored.support:
        return SupportSet.empty(backbone.width, backbone.corrected_width)
    averages = stored.record.settings.support_views > 1
    return SupportSet(
        torch.tensor([record.id for record in stored.support]),
        torch.tensor([record.class_id for record in stored.support]),
        stored.embeddings.as_averages() if averages else stored.embeddings,
    )


def class_set(
    settings: ClassifierSettings,
    texts: Mapping[int, Tensor | None],
    with_images: Container[int],
    negatives: int | None = None,
) -> ClassSet:
    """The classes that can be answered.

    All of them where names carry meaning; otherwise those with at least one support image.

    Args:
        settings: Of the classifier.
        texts: The (d,) text embedding of each class by its id, in the order of registration.
        with_images: Ids of classes that have support images.
        negatives: The class of explicit negatives, which is not answered.
    """
    texts = {class_id: text for class_id, text in texts.items() if class_id != negatives}
    if settings.names_carry_meaning:
        ids = torch.tensor(list(texts), dtype=torch.int64)
        rows = [text for text in texts.values() if text is not None]
        return ClassSet(ids, torch.stack(rows) if rows else None)
    used = [class_id for class_id in texts if class_id in with_images]
    return ClassSet(torch.tensor(used, dtype=torch.int64), None)


def fitted_to(
    settings: ClassifierSettings,
    texts: Sequence[Tensor | None],
    support: SupportSet,
    backbone: Encoder,
    *,
    negatives: int | None = None,
    tuning: Tuning | None = None,
) -> FewShotClassifier:
    """A classifier whose classes are numbered by their places.

    Args:
        settings: Of the classifier.
        texts: The (d,) text embedding of each class.
        support: All images, explicit negatives among them.
        backbone: Whose embeddings they are.
        negatives: The class of explicit negatives.
        tuning: What leave-one-out has set; None: it is tuned.
    """
    own, others = parted(support, negatives)
    classes = class_set(settings, dict(enumerate(texts)), set(own.labels.tolist()), negatives)
    return new_classifier(settings, backbone).fit(classes, own, tuning, negatives=others)


def check_fits(stored: StoredClassifier, backbone: Encoder) -> None:
    """See that what was stored of a classifier can be fitted with.

    Raises:
        Damaged: An embedding is not as wide as the backbone's, or one is missing.
    """
    if stored.support:
        widths = stored.embeddings.frozen.shape[1], stored.embeddings.corrected.shape[1]
        if widths != (backbone.width, backbone.corrected_width):
            raise Damaged("an image's embedding is cut short or too long")
    for record in stored.classes:
        if record.text is not None and len(record.text) != backbone.width:
            raise Damaged(f"the text embedding of class {record.label!r} is cut short or too long")
        if record.text is None and stored.record.settings.names_carry_meaning:
            raise Damaged(f"the text embedding of class {record.label!r} is missing")


def usable(settings: ClassifierSettings, tuning: Tuning) -> Tuning | None:
    """The stored tuning; None if a version of Handful wrote it whose head was another.

    Args:
        settings: Of the classifier.
        tuning: As stored.
    """
    own = MultiLabelParameters if settings.multi_label else HEADS[settings.method].parameters
    if not isinstance(tuning.parameters, own):
        return None
    return tuning if tuning.votes == 0 or tuning.loss is not None else None
