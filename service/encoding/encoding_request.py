"""A request to an encoder: its images on their way through decoding and micro-batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from service.encoding.fair_queue import Priority
from service.telemetry.request_trace import current_trace

File = TypeVar("File")
Metadata = TypeVar("Metadata")
# Of one input, as a slice of what a pass gives for all of its batch.
Rows = Any
# Of each image what was kept of it, and the rows of its inputs.
Answer = list[tuple[Metadata, list[Rows]]]


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
        answer: For each image, in their order, what the decoder kept of it and the embeddings of
            its inputs; or the first error that an image led to.
        inputs: Inputs of the encoder that each image becomes.
        item_errors: Errors of single images, after which the others are still decoded.
        errors: Those that there were, by the place of the image.
        at_once: What is done with the rows where nothing else waits.
        trace: What its spans are written to; None: it is not traced.
    """

    def __init__(
        self,
        files: Sequence[File],
        prepare: Callable[[File], tuple[Metadata, Sequence[Any]]],
        inputs: int,
        key: str,
        priority: Priority,
        answer: asyncio.Future[Answer[Metadata]],
        item_errors: tuple[type[Exception], ...],
    ) -> None:
        self.answer = answer
        self.item_errors = item_errors
        self.errors: dict[int, Exception] = {}
        self.prepare = prepare
        self.inputs = inputs
        self.key = key
        self.priority = priority
        self.over = False
        self.at_once: Callable[[Rows], None] | None = None
        self.trace = current_trace()
        self.pending = [PendingImage(self, i, file) for i, file in enumerate(files)][::-1]
        self.started: set[PendingImage[File, Metadata]] = set()
        self.done: Answer[Metadata] = [None] * len(files)  # type: ignore[list-item]


class PendingImage(Generic[File, Metadata]):
    """One image of a request; ``metadata`` and ``inputs`` once it is decoded.

    Attributes:
        rows: What the encoder gave for each input, where it has.
        missing: How many inputs are not encoded.
        since: When it began to wait for what comes next, by ``perf_counter``.
    """

    __slots__ = ("file", "inputs", "metadata", "missing", "number", "request", "rows", "since")

    def __init__(self, request: EncodingRequest[File, Metadata], number: int, file: File) -> None:
        self.request = request
        self.number = number
        self.file = file
        self.metadata: Metadata
        self.inputs: Sequence[Any]
        self.rows: list[Rows] = [None] * request.inputs
        self.missing = request.inputs
        self.since = 0.0


class EncoderInput(NamedTuple):
    """One input of the encoder: which image it is of, and its place among that one's inputs."""

    image: PendingImage[Any, Any]
    place: int

    @property
    def request(self) -> EncodingRequest[Any, Any]:
        """Whose it is."""
        return self.image.request


def resolve(
    requests: list[EncodingRequest[File, Metadata]], error: BaseException | None = None
) -> None:
    """Wake whoever waits for these requests: once, however many they are."""
    if not requests:
        return

    def tell() -> None:
        for request in requests:
            if request.answer.done():
                continue
            failed = InvalidImages(request.errors) if request.errors else error
            if failed is None:
                request.answer.set_result(request.done)
            else:
                request.answer.set_exception(failed)

    with suppress(RuntimeError):  # the event loop has ended, and so has everyone who waited
        requests[0].answer.get_loop().call_soon_threadsafe(tell)
