"""A request to an encoder: its images on their way through decoding and micro-batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from service.encoding.fair_queue import Priority

File = TypeVar("File")
Metadata = TypeVar("Metadata")
# Of one item, as a slice of what a pass gives for all of its batch.
Rows = Any
Answer = list[tuple[Metadata, Rows]]


class InvalidImages(Exception):
    """Some images of a request cannot be used.

    Attributes:
        errors: What the decoder raised, by the place of the image in the request, in their order.
    """

    def __init__(self, errors: dict[int, Exception]) -> None:
        super().__init__(f"{len(errors)} images cannot be used")
        self.errors = dict(sorted(errors.items()))


class EncodingRequest(Generic[File, Metadata]):
    """The images of one request on their way through the decoders and the encoder.

    Attributes:
        answer: For each image, in their order, what the decoder kept of it and its embeddings;
            or the first error that an image led to.
        item_errors: Errors of single images, after which the others are still decoded.
        errors: Those that there were, by the place of the image.
    """

    def __init__(
        self,
        files: Sequence[File],
        prepare: Callable[[File], tuple[Metadata, Any]],
        key: str,
        priority: Priority,
        answer: asyncio.Future[Answer[Metadata]],
        item_errors: tuple[type[Exception], ...],
    ) -> None:
        self.answer = answer
        self.item_errors = item_errors
        self.errors: dict[int, Exception] = {}
        self.prepare = prepare
        self.key = key
        self.priority = priority
        self.over = False
        self.pending = [PendingImage(self, i, file) for i, file in enumerate(files)][::-1]
        self.started: set[PendingImage[File, Metadata]] = set()
        self.done: Answer[Metadata] = [None] * len(files)  # type: ignore[list-item]


class PendingImage(Generic[File, Metadata]):
    """One image of a request; ``metadata`` and ``pixels`` once it is decoded."""

    __slots__ = ("file", "metadata", "number", "pixels", "request")

    def __init__(self, request: EncodingRequest[File, Metadata], number: int, file: File) -> None:
        self.request = request
        self.number = number
        self.file = file
        self.metadata: Metadata
        self.pixels: Any  # the encoder's input
