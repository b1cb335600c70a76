"""A classifier's file as a classifier of this service: checked against its backbone, or anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.encoder import Encoder
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.exchange import ClassifierFile
from service.exchange import TuningState as FileTuningState
from service.images.embedded import EmbeddedImage
from service.problems import ImportedBackbone, InvalidUpload
from service.registry.class_texts import ClassTexts
from service.registry.fitting import class_set, fitted_to, new_classifier, usable
from service.registry.live import LiveClassifier
from service.registry.negatives import parted, place_of_negatives
from service.storage.importing import WholeClass, WholeClassifier, WholeImage
from service.storage.records import TuningState

# Support images that are asked, to see that the tuning answers.
_ASKED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A classifier's file, with what was made anew of it.

    Attributes:
        file: Open.
        embedded: Its images by their SHA-256, where they were embedded by this service's backbone;
            None where the file's embeddings are that backbone's.
        fingerprint: Of what those of the classifier come from.
    """

    file: ClassifierFile
    embedded: Mapping[str, EmbeddedImage] | None = None
    fingerprint: str


def has_to_be_embedded(file: ClassifierFile, backbone: Encoder, fingerprint: str) -> bool:
    """Whether its embeddings are of another backbone, so that its images are embedded by this one.

    Args:
        file: Open.
        backbone: Of the service.
        fingerprint: Of the recipe that new classifiers are of.

    Raises:
        ImportedBackbone: They are, and images are missing in the file.
        InvalidUpload: It cannot be imported into a service, whatever the backbone.
    """
    found = file.classifier
    if found.images is None and len(found.labels):
        raise InvalidUpload(
            "The file holds embeddings and does not say of which images, as handful.Classifier.save"
            " writes it. The Python API reads it; register the images themselves with a service."
        )
    if found.source.fingerprint == fingerprint:
        return False
    missing = {image.sha256 for image in found.images or ()} - set(file.kept)
    if missing:
        raise ImportedBackbone(
            f"The file holds embeddings of the backbone {found.source}, which cannot be compared "
            f"with those of {backbone.name} ({fingerprint[:12]}...), and {len(missing)} "
            "of its images are not in it to be embedded anew. Export it with its images, or import "
            "it into a service with the backbone that it is of."
        )
    return True


def is_the_same(live: LiveClassifier, file: ClassifierFile) -> bool:
    """Whether a classifier holds what a file holds: settings, classes and images, in their order.

    So an import that is sent again, because its answer was lost, is answered as the first.
    """
    found = file.classifier
    records, images = live.records()
    label_of = {record.id: record.label for record in records.values()}
    return (
        live.settings == found.settings
        and list(records) == [one.label for one in found.classes]
        and [(label_of[r.class_id], r.sha256) for r in images.values()]
        == [(image.label, image.sha256) for image in found.images or ()]
    )


def whole(given: Import, backbone: Encoder, texts: ClassTexts) -> WholeClassifier:
    """The classifier to be written; computes its tuning where it is embedded anew.

    Raises:
        TextsNeeded: It is, and ``texts`` lacks some of its class names.
        InvalidUpload: Its embeddings are not as wide as the backbone's, or its tuning does not fit.
    """
    found = given.file.classifier
    labels = [one.label for one in found.classes]
    images = found.images or ()
    rows: Sequence[Tensor | None]
    if given.embedded is None:
        embedded: list[EmbeddedImage] = [
            EmbeddedImage(
                filename=image.filename,
                read=_reader(given.file, image.sha256),
                sha256=image.sha256,
                media_type=image.media_type,
                width=image.width,
                height=image.height,
                fingerprint=found.source.fingerprint,
                embeddings=found.embeddings[place : place + 1],
                views=found.settings.support_views,
            )
            for place, image in enumerate(images)
        ]
        embeddings = found.embeddings
        rows = list(found.texts) if found.texts is not None else [None] * len(labels)
        mark = place_of_negatives(labels)
        tuning = _checked(
            found.settings, rows, found.labels, embeddings, found.tuning, backbone, mark
        )
        state = found.tuning_state if tuning is found.tuning else FileTuningState()
    else:
        rows = texts.under(found.settings, labels, given.fingerprint)
        anew = given.embedded
        embedded = [replace(anew[image.sha256], filename=image.filename) for image in images]
        embeddings = (
            ImageEmbeddings.concatenate([image.embeddings for image in embedded])
            if embedded
            else SupportSet.empty(backbone.width, backbone.corrected_width).embeddings
        )
        mark = place_of_negatives(labels)
        support, negatives = parted(
            SupportSet(torch.arange(len(images)), found.labels, embeddings), mark
        )
        tuning = new_classifier(found.settings, backbone).tune(
            class_set(found.settings, dict(enumerate(rows)), found.labels, mark),
            support.labelled,
            negatives=negatives,
        )
        state = FileTuningState()
    return WholeClassifier(
        settings=found.settings,
        fingerprint=given.fingerprint,
        tuning=tuning,
        tuning_state=TuningState(
            is_current=state.is_current,
            since=state.since or datetime.now(UTC),
            images_behind=state.images_behind,
        ),
        classes=[
            WholeClass(label=one.label, text=row, created_at=one.created_at)
            for one, row in zip(found.classes, rows, strict=True)
        ],
        images=[
            WholeImage(
                public_id=image.id,
                label=image.label,
                image=ready,
                is_kept=image.sha256 in given.file.kept,
                created_at=image.created_at,
            )
            for image, ready in zip(images, embedded, strict=True)
        ],
    )


def _reader(file: ClassifierFile, sha256: str) -> Callable[[], bytes]:
    return lambda: file.content(sha256)


def _checked(
    settings: ClassifierSettings,
    texts: Sequence[Tensor | None],
    labels: Tensor,
    embeddings: ImageEmbeddings,
    tuning: Tuning,
    backbone: Encoder,
    mark: int | None,
) -> Tuning:
    """See that a classifier of these can be fitted and answers; costs as much as loading it.

    Returns:
        ``tuning``, or another one where that is of a version whose head was another.

    Raises:
        InvalidUpload: It cannot be, or does not.
    """
    widths = embeddings.frozen.shape[1], embeddings.corrected.shape[1]
    if len(labels) and widths != (backbone.width, backbone.corrected_width):
        raise InvalidUpload(
            f"The file's embeddings have {widths[0]} and {widths[1]} numbers; those of the backbone"
            f" that it names have {backbone.width} and {backbone.corrected_width}. Export it again."
        )
    if any(text is not None and len(text) != backbone.width for text in texts):
        raise InvalidUpload(
            f"The file's texts are not as wide as those of the backbone that it names, which have "
            f"{backbone.width} numbers. Export it again."
        )
    if not len(labels):
        embeddings = SupportSet.empty(backbone.width, backbone.corrected_width).embeddings
    support = SupportSet(torch.arange(len(labels)), labels, embeddings)
    known = usable(settings, tuning)
    try:
        fitted = fitted_to(settings, texts, support, backbone, negatives=mark, tuning=known)
        if not len(fitted.classes):
            return fitted.tuning
        with torch.inference_mode():
            asked = embeddings[:_ASKED] if len(labels) else _any(backbone)
            answers = fitted.answer(asked, 0)
    # What a tuning that is none leads a head to.
    except Exception as error:
        raise InvalidUpload(
            f"The file's tuning does not fit its support set: {error}. Export it again."
        ) from error
    if not bool(answers.probabilities.isfinite().all()):
        raise InvalidUpload(
            "The file's tuning gives no probabilities on its support set. Export it again."
        )
    return fitted.tuning


def _any(backbone: Encoder) -> ImageEmbeddings:
    """A query, where there is no image to ask."""
    rows = torch.zeros(1, backbone.width), torch.zeros(1, backbone.corrected_width)
    for row in rows:
        row[0, 0] = 1
    return ImageEmbeddings(*rows)
