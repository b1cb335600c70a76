"""Micro-batching: concurrent requests share passes of the encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from time import monotonic, perf_counter
from typing import Any

import torch
from prometheus_client import Gauge, Histogram

from service.encoding.encoding_request import (
    EncoderInput,
    EncodingRequest,
    File,
    Metadata,
    PendingImage,
    Rows,
    resolve,
)
from service.encoding.fair_queue import FairQueue, Priority
from service.encoding.throughput import Throughput

BATCH_SIZE = Histogram(
    "handful_encoder_batch_size", "Images in one pass of the encoder.", buckets=(1, 2, 4, 8, 16, 32)
)
BATCH_SECONDS = Histogram("handful_encoder_seconds", "Duration of one pass of the encoder.")
WAITING = Gauge(
    "handful_waiting_images",
    "Images sent and not yet embedded.",
    ["lane"],
    multiprocess_mode="livesum",
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where a batcher counts: items of a pass, seconds of a pass, items that wait by priority."""

    size: Histogram
    seconds: Histogram
    waiting: Gauge


IMAGES = Metrics(BATCH_SIZE, BATCH_SECONDS, WAITING)


class MicroBatcher:
    """Micro-batching: threads decode images, others encode whatever waits in one pass.

    There is no timer: an image that comes alone is encoded at once, and while a pass runs the
    next batch gathers. An image may become several inputs of the encoder, which are encoded one by
    one. Whose turn it is says :class:`FairQueue`, before the decoders and before the encoder alike.
    A request has at most ``window`` inputs in work, or one image, which bounds the memory for
    pixels. Threads hand images on to each other, and the event loop hears of whole requests only.
    Where several passes run at the same time, one of them is left free of registrations, so that
    a query need not wait for the end of a large batch.

    Attributes:
        window: Most inputs of one request that are in work and not encoded.
        waiting: Inputs of each priority class that are not encoded.
        throughput: Moving average of inputs encoded a second.

    Args:
        encode: One pass of the encoder, (n, ...) to n rows.
        max_batch: Most inputs in one pass.
        passes: Passes at the same time.
        decoders: Images decoded at the same time.
        collate: Makes one of a pass's inputs.
        metrics: Where passes and what waits are counted.
    """

    def __init__(
        self,
        encode: Callable[[Any], Rows],
        *,
        max_batch: int,
        passes: int,
        decoders: int,
        collate: Callable[[list[Any]], Any] = torch.stack,
        metrics: Metrics = IMAGES,
    ) -> None:
        # One batch for each pass, and the next one.
        self.window = 2 * max_batch * passes
        self.waiting = dict.fromkeys(Priority, 0)
        self.throughput = Throughput()
        self._encode = encode
        self._collate = collate
        self._metrics = metrics
        self._max_batch = max_batch
        for each in Priority:
            metrics.waiting.labels(each)  # told from the start
        # Passes of registrations alone: how many run, and how many may.
        self._registering = 0
        self._may_register = max(1, passes - 1)
        # Of files and of pixels; with all that requests count, they change under the lock.
        self._files: FairQueue[PendingImage[Any, Any]] = FairQueue()
        self._pixels: FairQueue[EncoderInput] = FairQueue()
        self._lock = Lock()
        self._file_waits = Condition(self._lock)
        self._pixels_wait = Condition(self._lock)
        self._closed = False
        self._threads = [
            Thread(target=work, name=f"{name}-{i}", daemon=True)
            for work, name, number in (
                (self._decode_images, "decoder", decoders),
                (self._encode_batches, "encoder", passes),
            )
            for i in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        files: Sequence[File],
        prepare: Callable[[File], tuple[Metadata, Sequence[Any]]],
        key: str,
        priority: Priority,
        item_errors: tuple[type[Exception], ...] = (),
        *,
        inputs: int = 1,
    ) -> EncodingRequest[File, Metadata]:
        """Take the images of a request in; for the event loop's thread.

        Args:
            files: The images, one or more.
            prepare: Makes of one of them what to keep of it, and the encoder's inputs; runs in a
                decoder's thread.
            key: Requests of different keys take turns.
            priority: What the images are for.
            item_errors: Errors of one image that do not end the request: the others are decoded,
                but not encoded any more, and the answer is InvalidImages with all of them.
            inputs: How many inputs ``prepare`` makes of each image.
        """
        answer = asyncio.get_running_loop().create_future()
        request = EncodingRequest(files, prepare, inputs, key, priority, answer, item_errors)
        with self._lock:
            if not any(self.waiting.values()):
                self.throughput.begin(monotonic())
            self._count_waiting(priority, inputs * len(files))
            for _ in range(min(len(files), max(1, self.window // inputs))):
                self._begin_next(request)
        return request

    def withdraw(self, request: EncodingRequest[File, Metadata]) -> None:
        """Forget a request: none of its images is decoded or encoded that has not been begun."""
        with self._lock:
            self._end(request)
        request.answer.cancel()

    def close(self) -> None:
        """Stop the threads once their work is done; requests that still wait are cancelled."""
        with self._lock:
            self._closed = True
            self._file_waits.notify_all()
            self._pixels_wait.notify_all()
        for thread in self._threads:
            thread.join()
        requests = [image.request for image in self._files.take(len(self._files))]
        requests += [one.request for one in self._pixels.take(len(self._pixels))]
        for request in dict.fromkeys(requests):
            self.withdraw(request)

    # In the threads

    def _decode_images(self) -> None:
        while True:
            with self._lock:
                while not (self._files or self._closed):
                    self._file_waits.wait()
                if self._closed:
                    return
                [image] = self._files.take(1)
            self._decode(image)
            del image  # a thread that waits for the next must not hold on to the last

    def _decode(self, image: PendingImage[Any, Any]) -> None:
        request, finished = image.request, []
        try:
            metadata, inputs = request.prepare(image.file)
        except request.item_errors as error:
            # The frames of its traceback would hold the file's bytes until all are decoded.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            with self._lock:
                if not request.over:
                    request.errors[image.number] = error
                    finished = self._done([image, *self._undecided(request)])
        except BaseException as error:
            self._fail([request], error)
        else:
            with self._lock:
                if request.errors and not request.over:
                    finished = self._done([image])
                elif not request.over:
                    image.metadata, image.inputs = metadata, inputs
                    for place in range(request.inputs):
                        self._pixels.put(EncoderInput(image, place), request.key, request.priority)
                    self._pixels_wait.notify(request.inputs)
        resolve(finished)

    def _encode_batches(self) -> None:
        while True:
            with self._lock:
                while not (self._closed or (batch := self._next_batch())):
                    self._pixels_wait.wait()
                if self._closed:
                    return
                registering = all(one.request.priority is Priority.REGISTRATIONS for one in batch)
                self._registering += registering
            self._encode_batch(batch)
            del batch  # a thread that waits for the next must not hold on to the last
            if registering:
                with self._lock:
                    self._registering -= 1
                    self._pixels_wait.notify()  # of an encoder that had to leave some

    def _next_batch(self) -> list[EncoderInput]:
        return self._pixels.take(
            self._max_batch, registrations=self._registering < self._may_register
        )

    def _encode_batch(self, batch: list[EncoderInput]) -> None:
        try:
            start = perf_counter()
            rows = self._encode(self._collate([image.inputs[place] for image, place in batch]))
            self._metrics.size.observe(len(batch))
            self._metrics.seconds.observe(perf_counter() - start)
        except BaseException as error:
            self._fail([one.request for one in batch], error)
            return
        with self._lock:
            self.throughput.note(len(batch), monotonic())
            whole = []
            for i, (image, place) in enumerate(batch):
                image.rows[place] = rows[i : i + 1]
                image.missing -= 1
                if image.missing == 0 and not image.request.over:
                    image.request.done[image.number] = (image.metadata, image.rows)
                    whole.append(image)
            finished = self._done(whole)
        resolve(finished)

    def _undecided(
        self, request: EncodingRequest[File, Metadata]
    ) -> list[PendingImage[File, Metadata]]:
        """Take the pixels of a request, which are of no use any more, out of the queue.

        Returns:
            Images that no pass will tell of any more.
        """
        for image in request.started:
            image.missing -= self._discard_pixels(image)
        return [image for image in request.started if image.missing == 0]

    def _discard_pixels(self, image: PendingImage[Any, Any]) -> int:
        """Take inputs of an image out of the queue; returns how many were there."""
        request = image.request
        return sum(
            self._pixels.discard(EncoderInput(image, place), request.key, request.priority)
            for place in range(request.inputs)
        )

    def _done(self, images: Sequence[PendingImage[Any, Any]]) -> list[EncodingRequest[Any, Any]]:
        """Count images of requests that are not over, begin others; returns those over now."""
        finished = []
        for image in images:
            request = image.request
            request.started.remove(image)
            self._count_waiting(request.priority, -request.inputs)
            if request.pending:
                self._begin_next(request)
            elif not request.started:
                self._end(request)
                finished.append(request)
        return finished

    def _count_waiting(self, priority: Priority, by: int) -> None:
        self.waiting[priority] += by
        self._metrics.waiting.labels(priority).inc(by)

    def _begin_next(self, request: EncodingRequest[File, Metadata]) -> None:
        image = request.pending.pop()
        request.started.add(image)
        self._files.put(image, request.key, request.priority)
        self._file_waits.notify()

    def _end(self, request: EncodingRequest[File, Metadata]) -> None:
        if request.over:
            return
        request.over = True
        left = request.inputs * (len(request.pending) + len(request.started))
        self._count_waiting(request.priority, -left)
        for image in request.started:
            self._files.discard(image, request.key, request.priority)
            self._discard_pixels(image)
        request.started.clear()
        request.pending.clear()

    def _fail(self, requests: list[EncodingRequest[File, Metadata]], error: BaseException) -> None:
        with self._lock:
            failed = [request for request in dict.fromkeys(requests) if not request.over]
            for request in failed:
                self._end(request)
        resolve(failed, error)
