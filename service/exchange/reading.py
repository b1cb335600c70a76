"""Reading a classifier's file, within limits; nothing of it is believed that can be checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import torch
from pydantic import ValidationError
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import HEADS, Tuning
from service.classifier_settings import ClassifierSettings
from service.exchange.contents import (
    ClassifierFile,
    ExportedClass,
    ExportedClassifier,
    ExportedImage,
    Source,
    TuningState,
)
from service.exchange.lines import (
    CLASSES,
    DOCUMENT,
    EMBEDDINGS,
    FOLDER,
    IMAGES,
    ClassLine,
    Document,
    ImageLine,
    parsed,
)
from service.exchange.members import Members, ReadLimits
from service.exchange.tensors import checked_tensors
from service.images.formats import sniff_format
from service.problems import InvalidSettings, InvalidUpload, RequestTooLarge
from service.stored_tuning import TuningError, check_numbers, read_tuning

__all__ = ["MOST_IMAGES", "ReadLimits", "read_classifier"]

MOST_IMAGES = 1_000_000
"""Of a file on the disk."""


def read_classifier(file: BinaryIO, limits: ReadLimits) -> ClassifierFile:
    """Read all but the images, and check it.

    Holds the embeddings once. Costs passes over them, and forty microseconds of Python an image.

    Args:
        file: That can seek; stays open as long as images are read.
        limits: On what it may hold.

    Raises:
        InvalidUpload, InvalidName, InvalidSettings: It is no such file, or damaged, or of another
            version; says where and how to mend it.
        RequestTooLarge, ImageTooLarge: There is more in it than may be.
    """
    members = Members(file, limits)
    document = parsed(Document, members.read(DOCUMENT), DOCUMENT)
    if document.n_classes > limits.classes or document.n_images > limits.images:
        raise RequestTooLarge(
            f"The file has {document.n_classes} classes and {document.n_images} images; at most "
            f"{limits.classes} and {limits.images} are accepted."
        )
    settings = _settings(document.settings)
    tensors = checked_tensors(
        members.tensors(EMBEDDINGS),
        document.n_images,
        document.n_classes,
        with_texts=settings.names_carry_meaning and document.n_classes > 0,
    )
    averages = settings.support_views > 1
    embeddings = tensors.embeddings.as_averages() if averages else tensors.embeddings
    classes = _classes(members, document.n_classes)
    images = None
    if members.names_images:
        images = _images(members, document.n_images, classes, tensors.labels)
        _check_contents(images, tensors.embeddings)
    elif members.images:
        raise InvalidUpload(f"The file holds images, and no {IMAGES} that names them.")
    kinds = {image.sha256: image.media_type for image in images or ()}
    state = document.tuning_state
    return ClassifierFile(
        classifier=ExportedClassifier(
            source=Source(**document.backbone.model_dump()),
            settings=settings,
            tuning=_tuning(settings.method, document.tuning),
            tuning_state=TuningState(
                is_current=state.is_current, since=state.since, images_behind=state.images_behind
            ),
            classes=classes,
            texts=tensors.texts,
            labels=tensors.labels,
            embeddings=embeddings,
            images=images,
        ),
        kept=members.images,
        content=lambda sha256: _content(members, sha256, kinds[sha256]),
    )


def _settings(written: dict[str, Any]) -> ClassifierSettings:
    if unknown := set(written) - set(ClassifierSettings.model_fields):
        raise InvalidUpload(
            f"{DOCUMENT} has settings that this version of Handful does not know: "
            f"{', '.join(sorted(unknown))[:200]}. Import it with the version that wrote it."
        )
    try:
        settings = ClassifierSettings.model_validate(written, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidSettings(
            f"{DOCUMENT}: settings.{'.'.join(map(str, first['loc']))}: {first['msg'][:300]}. "
            "Change the setting where the classifier was made, and export it again."
        ) from error
    if HEADS[settings.method].needs_names and not settings.names_carry_meaning:
        raise InvalidSettings(
            f"{DOCUMENT}: the method {settings.method} knows classes by their names alone, and "
            "names_carry_meaning is false."
        )
    return settings


def _tuning(method: str, written: dict[str, Any]) -> Tuning:
    try:
        tuning = read_tuning(method, written)
    except TuningError as error:
        raise InvalidUpload(
            f"{DOCUMENT}: {error}. Import it with the version that wrote it."
        ) from error
    try:
        check_numbers(tuning)
    except TuningError as error:
        raise InvalidUpload(f"{DOCUMENT}: {error}.") from error
    return tuning


def _classes(members: Members, count: int) -> list[ExportedClass]:
    classes = [
        parsed(ClassLine, line, f"Line {number} of {CLASSES}").value()
        for number, line in enumerate(members.lines(CLASSES, count), 1)
    ]
    if len({one.label for one in classes}) < count:
        raise InvalidUpload(f"{CLASSES} names a class twice. Export the classifier again.")
    return classes


def _images(
    members: Members, count: int, classes: Sequence[ExportedClass], labels: Tensor
) -> list[ExportedImage]:
    images: list[ExportedImage] = []
    ids: set[str] = set()
    supports: set[tuple[str, str]] = set()
    for number, (line, column) in enumerate(
        zip(members.lines(IMAGES, count), labels.tolist(), strict=True), 1
    ):
        found = parsed(ImageLine, line, f"Line {number} of {IMAGES}")
        image = found.value()
        if image.label != classes[column].label:
            raise InvalidUpload(
                f"Line {number} of {IMAGES} is of class {image.label!r}, and its embedding of "
                f"{classes[column].label!r}. Export the classifier again."
            )
        size = members.size(f"{FOLDER}{image.sha256}") if image.sha256 in members.images else None
        if found.nbytes != size:
            raise InvalidUpload(
                f"Line {number} of {IMAGES} tells of {found.nbytes} bytes of the image, and there "
                f"are {size} in {FOLDER}{image.sha256}. Export the classifier again."
            )
        ids.add(image.id)
        supports.add((image.label, image.sha256))
        images.append(image)
    if len(ids) < count or len(supports) < count:
        raise InvalidUpload(f"{IMAGES} names an image twice. Export the classifier again.")
    if strangers := members.images - {image.sha256 for image in images}:
        raise InvalidUpload(
            f"The file has {len(strangers)} images that are not named in {IMAGES}, such as "
            f"{FOLDER}{min(strangers)}. Export the classifier again."
        )
    return images


def _check_contents(images: Sequence[ExportedImage], embeddings: ImageEmbeddings) -> None:
    """See that an image that supports several classes is one image, with one embedding."""
    first: dict[str, int] = {}
    for row, image in enumerate(images):
        if (other := first.setdefault(image.sha256, row)) == row:
            continue
        same = images[other]
        described = (image.media_type, image.width, image.height)
        if described != (same.media_type, same.width, same.height) or not (
            torch.equal(embeddings.frozen[row], embeddings.frozen[other])
            and torch.equal(embeddings.corrected[row], embeddings.corrected[other])
        ):
            raise InvalidUpload(
                f"{IMAGES} describes one image, {image.sha256}, in two ways. Export the classifier "
                "again."
            )


def _content(members: Members, sha256: str, media_type: str) -> bytes:
    content = members.read(f"{FOLDER}{sha256}")
    kind = sniff_format(content)
    if kind is None or kind.media_type != media_type:
        raise InvalidUpload(
            f"{FOLDER}{sha256} is no {media_type}, as {IMAGES} says. Export the classifier again."
        )
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InvalidUpload(
            f"{FOLDER}{sha256} holds another image than its name says. Export the classifier again."
        )
    return content
