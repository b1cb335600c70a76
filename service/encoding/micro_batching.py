"""Micro-batching: concurrent requests share passes of the encoder."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from threading import Thread
from time import monotonic, perf_counter
from typing import Any

import torch

from service.encoding.encoding_queues import EncodingQueues
from service.encoding.encoding_request import (
    EncoderInput,
    EncodingRequest,
    File,
    Metadata,
    PendingImage,
    Rows,
    resolve,
)
from service.encoding.fair_queue import Priority
from service.encoding.observation import ObservedPass, decoded, embedded
from service.encoding.pass_metrics import IMAGES, Metrics
from service.encoding.throughput import Throughput

# Seconds without a query after which registrations have all passes, if the next query waits for the
# end of one no longer than so many seconds.
_QUIET, _BEARABLE = 1.0, 0.06


class MicroBatcher(EncodingQueues):
    """Micro-batching: threads decode images, others encode whatever waits in one pass.

    There is no timer: an image that comes alone is encoded at once, and while a pass runs the
    next batch gathers. An image may become several inputs of the encoder, which are encoded one by
    one. Whose turn it is says :class:`FairQueue`, before the decoders and before the encoder alike.
    A request has at most ``window`` inputs in work, or one image, which bounds the memory for
    pixels. Threads hand images on to each other, and the event loop hears of whole requests only.
    Where several passes run at the same time, one of them is left free of registrations, so that
    a query need not wait for the end of a large batch; after a second without a query they have it,
    if a batch takes some hundredths of a second and no longer.

    A lone query, beside which nothing waits or is encoded, is handed on to nobody: the thread that
    has decoded it encodes it, while another one is left to decode what comes, and does what the
    request wants done with the rows at once.

    Attributes:
        window: Most inputs of one request that are in work and not encoded.
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
        super().__init__(metrics)
        # One batch for each pass, and the next one.
        self.window = 2 * max_batch * passes
        self.throughput = Throughput()
        self._encode = encode
        self._collate = collate
        self._max_batch = max_batch
        # Passes without queries: how many run, and how many may.
        self._registering = 0
        self._may_register = max(1, passes - 1)
        self._last_query, self._whole_batch = -math.inf, math.inf
        self._passes, self._passing = passes, 0
        self._idle_decoders = 0
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
        at_once: Callable[[Rows], None] | None = None,
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
            at_once: What a thread may do with the rows of the request's only input before it tells
                the event loop, where nothing else waits for it; what it raises is the answer.
        """
        answer = asyncio.get_running_loop().create_future()
        request = EncodingRequest(files, prepare, inputs, key, priority, answer, item_errors)
        request.at_once = at_once
        with self._lock:
            if not any(self.waiting.values()):
                self.throughput.begin(monotonic())
            self._count_waiting(priority, inputs * len(files))
            if priority is Priority.QUERIES:
                self._last_query = monotonic()
            for _ in range(min(len(files), max(1, self.window // inputs))):
                self._begin_next(request)
        return request

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
                self._idle_decoders += 1
                while not (self._files or self._closed):
                    self._file_waits.wait()
                self._idle_decoders -= 1
                if self._closed:
                    return
                [image] = self._files.take(1)
            self._decode(image)
            del image  # a thread that waits for the next must not hold on to the last

    def _decode(self, image: PendingImage[Any, Any]) -> None:
        request, finished = image.request, []
        lone: list[EncoderInput] = []
        begun = perf_counter()
        try:
            metadata, inputs = request.prepare(image.file)
        except request.item_errors as error:
            # The frames of its traceback would hold the file's bytes until all are decoded.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            decoded(image, begun, error)
            with self._lock:
                if not request.over:
                    request.errors[image.number] = error
                    finished = self._done([image, *self._undecided(request)])
        except BaseException as error:
            decoded(image, begun, error)
            self._fail([request], error)
        else:
            decoded(image, begun)
            with self._lock:
                if request.errors and not request.over:
                    finished = self._done([image])
                elif not request.over:
                    image.metadata, image.inputs = metadata, inputs
                    for place in range(request.inputs):
                        self._pixels.put(EncoderInput(image, place), request.key, request.priority)
                    if self._is_lone(request):
                        lone = self._begin_pass()
                    else:
                        self._pixels_wait.notify(request.inputs)
        if lone:
            self._encode_batch(lone)
        resolve(finished)

    def _is_lone(self, request: EncodingRequest[Any, Any]) -> bool:
        """Whether a decoded image is all there is to do, and another thread there to decode."""
        alone = len(self._pixels) == 1 and not (self._files or self._passing)
        return alone and request.priority is Priority.QUERIES and self._idle_decoders > 0

    def _encode_batches(self) -> None:
        while True:
            with self._lock:
                while not (self._closed or (batch := self._begin_pass())):
                    self._pixels_wait.wait()
                if self._closed:
                    return
            self._encode_batch(batch)
            del batch  # a thread that waits for the next must not hold on to the last

    def _begin_pass(self) -> list[EncoderInput]:
        """Take what is encoded next; none if nothing may be."""
        if self._passing == self._passes:
            return []
        may_register = self._registering < self._may_register
        batch = self._pixels.take(self._max_batch, background=may_register)
        if not (batch or may_register) and self._is_quiet():
            batch = self._pixels.take(self._max_batch)
        if batch:
            self._passing += 1
            self._registering += _registers(batch)
        return batch

    def _is_quiet(self) -> bool:
        return self._whole_batch < _BEARABLE and monotonic() - self._last_query > _QUIET

    def _end_pass(self, batch: list[EncoderInput]) -> None:
        self._passing -= 1
        self._registering -= _registers(batch)
        self._pixels_wait.notify()  # of an encoder that had to leave some

    def _encode_batch(self, batch: list[EncoderInput]) -> None:
        observed = ObservedPass(batch)
        try:
            start = perf_counter()
            rows = self._encode(self._collate([image.inputs[place] for image, place in batch]))
            self._metrics.size.observe(len(batch))
            seconds = perf_counter() - start
            self._metrics.seconds.observe(seconds)
            if len(batch) == self._max_batch:
                self._whole_batch = seconds
            observed.end()
        except BaseException as error:
            observed.end(error)
            with self._lock:
                self._end_pass(batch)
            self._fail([one.request for one in batch], error)
            return
        with self._lock:
            self._end_pass(batch)
            self.throughput.note(len(batch), monotonic())
            whole = []
            for i, (image, place) in enumerate(batch):
                image.rows[place] = rows[i : i + 1]
                image.missing -= 1
                if image.missing == 0 and not image.request.over:
                    image.request.done[image.number] = (image.metadata, image.rows)
                    whole.append(image)
            embedded(whole)
            finished = self._done(whole)
            at_once = None
            if len(batch) == 1 and finished and not (self._files or self._pixels):
                at_once = finished[0].at_once
        failed: BaseException | None = None
        if at_once is not None:
            try:
                at_once(rows)
            except BaseException as error:
                failed = error
        resolve(finished, failed)


def _registers(batch: list[EncoderInput]) -> bool:
    """Whether a pass is one without queries."""
    return all(one.request.priority is not Priority.QUERIES for one in batch)
