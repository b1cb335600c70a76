"""Writing a classifier's file, piece by piece: never all of its images are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from torch import Tensor

from service.exchange.contents import ExportedClass, ExportedClassifier, ExportedImage
from service.exchange.lines import (
    CLASSES,
    DOCUMENT,
    EMBEDDINGS,
    FOLDER,
    FORMAT,
    IMAGES,
    ClassLine,
    Document,
    ImageLine,
    SourceJson,
    TuningStateJson,
)
from service.exchange.safetensors_stream import tensor_pieces
from service.exchange.streamed_zip import streamed_zip

Content = Callable[[int], bytes | None]
"""The bytes of the image with that place in the list; None if they were not kept."""


def no_content(_: int) -> None:
    """Leave all images out."""


def write_file(file: BinaryIO, classifier: ExportedClassifier, content: Content) -> None:
    """Write a classifier's file; arguments as :func:`file_pieces`."""
    for piece in file_pieces(classifier, content):
        file.write(piece)


def file_pieces(classifier: ExportedClassifier, content: Content = no_content) -> Iterator[bytes]:
    """The bytes of a classifier's file, in pieces of about a MiB; the same for the same classifier.

    Copies no embeddings, and holds one image.

    Args:
        classifier: To be written.
        content: Called once for each distinct content.
    """
    return streamed_zip(_members(classifier, content))


def _members(
    classifier: ExportedClassifier, content: Content
) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield EMBEDDINGS, tensor_pieces(_tensors(classifier))
    if classifier.images is not None:
        sizes: dict[str, int | None] = {}
        for place, image in enumerate(classifier.images):
            if image.sha256 in sizes:
                continue
            found = content(place)
            sizes[image.sha256] = None if found is None else len(found)
            if found is not None:
                yield f"{FOLDER}{image.sha256}", [found]
        # Behind the images, since others may delete some of them meanwhile.
        yield IMAGES, (_image_line(image, sizes[image.sha256]) for image in classifier.images)
    yield CLASSES, map(_class_line, classifier.classes)
    yield DOCUMENT, [_document(classifier)]


def _tensors(classifier: ExportedClassifier) -> dict[str, Tensor]:
    tensors = {
        "frozen": classifier.embeddings.frozen,
        "corrected": classifier.embeddings.corrected,
        "labels": classifier.labels,
    }
    return tensors if classifier.texts is None else {**tensors, "texts": classifier.texts}


def _class_line(one: ExportedClass) -> bytes:
    return _line(ClassLine.model_construct(label=one.label, created_at=one.created_at))


def _image_line(image: ExportedImage, nbytes: int | None) -> bytes:
    values = {name: getattr(image, name) for name in ImageLine.model_fields if name != "nbytes"}
    return _line(ImageLine.model_construct(**values, nbytes=nbytes))


def _line(model: ClassLine | ImageLine) -> bytes:
    return model.model_dump_json().encode() + b"\n"


def _document(classifier: ExportedClassifier) -> bytes:
    document = Document(
        format=FORMAT,
        backbone=SourceJson.model_construct(
            **{name: getattr(classifier.source, name) for name in SourceJson.model_fields}
        ),
        settings=classifier.settings.model_dump(),
        tuning=classifier.tuning.as_dict(),
        tuning_state=TuningStateJson.model_validate(classifier.tuning_state),
        n_classes=len(classifier.classes),
        n_images=len(classifier.labels),
    )
    return document.model_dump_json(indent=1).encode()
