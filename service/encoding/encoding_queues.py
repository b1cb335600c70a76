"""Queues of an encoder: files and pixels of all requests, and what each request waits for."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition, Lock
from time import perf_counter
from typing import Any

from service.encoding.encoding_request import (
    EncoderInput,
    EncodingRequest,
    File,
    Metadata,
    PendingImage,
    resolve,
)
from service.encoding.fair_queue import FairQueue, Priority
from service.encoding.pass_metrics import Metrics


class EncodingQueues:
    """The images of requests between their files and their rows.

    All of it changes under the lock, and all but :meth:`withdraw` is called by who holds it.

    Attributes:
        waiting: Inputs of each priority class that are not encoded.

    Args:
        metrics: Where what waits is counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.waiting = dict.fromkeys(Priority, 0)
        self._metrics = metrics
        for each in Priority:
            metrics.waiting.labels(each)  # told from the start
        self._files: FairQueue[PendingImage[Any, Any]] = FairQueue()
        self._pixels: FairQueue[EncoderInput] = FairQueue()
        self._lock = Lock()
        self._file_waits = Condition(self._lock)
        self._pixels_wait = Condition(self._lock)

    def withdraw(self, request: EncodingRequest[File, Metadata]) -> None:
        """Forget a request: none of its images is decoded or encoded that has not been begun."""
        with self._lock:
            self._end(request)
        request.answer.cancel()

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
        image.since = perf_counter()
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
