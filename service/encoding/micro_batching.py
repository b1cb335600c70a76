"""Concurrent requests share passes of the encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from time import monotonic, perf_counter
from typing import Any, Generic, TypeVar

import torch
from prometheus_client import Gauge, Histogram

from service.encoding.fair_queue import FairQueue, Lane
from service.encoding.throughput import Pace

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

File = TypeVar("File")
Kept = TypeVar("Kept")
# Of one item, as a slice of what a pass gives for all of its batch.
Rows = Any
Answer = list[tuple[Kept, Rows]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where a batcher counts: items of a pass, seconds of a pass, items that wait by lane."""

    size: Histogram
    seconds: Histogram
    waiting: Gauge


IMAGES = Metrics(BATCH_SIZE, BATCH_SECONDS, WAITING)


class FaultyImages(Exception):
    """Some images of a job cannot be used.

    Attributes:
        errors: What the decoder raised, by the place of the image in the job, in their order.
    """

    def __init__(self, errors: dict[int, Exception]) -> None:
        super().__init__(f"{len(errors)} images cannot be used")
        self.errors = dict(sorted(errors.items()))


class Job(Generic[File, Kept]):
    """The images of one request on their way through the decoders and the encoder.

    Attributes:
        answer: For each image, in their order, what the decoder kept of it and its embeddings;
            or the first error that an image led to.
        faults: Errors of single images, after which the others are still decoded.
        errors: Those that there were, by the place of the image.
    """

    def __init__(
        self,
        files: Sequence[File],
        prepare: Callable[[File], tuple[Kept, Any]],
        key: str,
        lane: Lane,
        answer: asyncio.Future[Answer[Kept]],
        faults: tuple[type[Exception], ...],
    ) -> None:
        self.answer = answer
        self.faults = faults
        self.errors: dict[int, Exception] = {}
        self.prepare = prepare
        self.key = key
        self.lane = lane
        self.over = False
        self.unbegun = [_Image(self, i, file) for i, file in enumerate(files)][::-1]
        self.begun: set[_Image[File, Kept]] = set()
        self.done: Answer[Kept] = [None] * len(files)  # type: ignore[list-item]


class _Image(Generic[File, Kept]):
    """One image of a job; ``kept`` and ``pixels`` once it is decoded."""

    __slots__ = ("file", "job", "kept", "number", "pixels")

    def __init__(self, job: Job[File, Kept], number: int, file: File) -> None:
        self.job = job
        self.number = number
        self.file = file
        self.kept: Kept
        self.pixels: Any  # the encoder's input


class MicroBatcher:
    """Decodes images in some threads and encodes them in others, whatever waits in one pass.

    There is no timer: an image that comes alone is encoded at once, and while a pass runs the
    next batch gathers. Whose turn it is says :class:`FairQueue`, before the decoders and before
    the encoder alike. A job has at most ``ahead`` images begun, which bounds the memory for
    pixels. Threads hand images on to each other, and the event loop hears of whole jobs only.
    Where several passes run at the same time, one of them is left free of registrations, so that
    a query need not wait for the end of a large batch.

    Attributes:
        ahead: Most images of one job that are begun and not encoded.
        waiting: Images of each lane that are not encoded.
        pace: How quickly they have been embedded of late.

    Args:
        encode: One pass of the encoder, (n, ...) to n rows.
        max_batch: Most images in one pass.
        passes: Passes at the same time.
        decoders: Images decoded at the same time.
        collate: Makes a pass's input of those of its images.
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
        self.ahead = 2 * max_batch * passes
        self.waiting = dict.fromkeys(Lane, 0)
        self.pace = Pace()
        self._encode = encode
        self._collate = collate
        self._metrics = metrics
        self._max_batch = max_batch
        for each in Lane:
            metrics.waiting.labels(each)  # told from the start
        # Passes of registrations alone: how many run, and how many may.
        self._registering = 0
        self._may_register = max(1, passes - 1)
        # Of files and of pixels; with all that jobs count, they change under the lock.
        self._files: FairQueue[_Image[Any, Any]] = FairQueue()
        self._pixels: FairQueue[_Image[Any, Any]] = FairQueue()
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
        prepare: Callable[[File], tuple[Kept, Any]],
        key: str,
        lane: Lane,
        faults: tuple[type[Exception], ...] = (),
    ) -> Job[File, Kept]:
        """Take the images of a request in; for the event loop's thread.

        Args:
            files: The images, one or more.
            prepare: Makes of one of them what to keep of it, and the encoder's input; runs in a
                decoder's thread.
            key: Jobs of different keys take turns.
            lane: What the images are for.
            faults: Errors of one image that do not end the job: the others are decoded, but not
                encoded any more, and the answer is FaultyImages with all of them.
        """
        job = Job(files, prepare, key, lane, asyncio.get_running_loop().create_future(), faults)
        with self._lock:
            if not any(self.waiting.values()):
                self.pace.begin(monotonic())
            self._wait_more(lane, len(files))
            for _ in range(min(len(files), self.ahead)):
                self._begin_next(job)
        return job

    def withdraw(self, job: Job[File, Kept]) -> None:
        """Forget a job: none of its images is decoded or encoded that has not been begun."""
        with self._lock:
            self._end(job)
        job.answer.cancel()

    def close(self) -> None:
        """Stop the threads once what they are at is done; jobs that still wait are cancelled."""
        with self._lock:
            self._closed = True
            self._file_waits.notify_all()
            self._pixels_wait.notify_all()
        for thread in self._threads:
            thread.join()
        for queue in (self._files, self._pixels):
            for image in queue.take(len(queue)):
                self.withdraw(image.job)

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

    def _decode(self, image: _Image[Any, Any]) -> None:
        job, finished = image.job, []
        try:
            kept, pixels = job.prepare(image.file)
        except job.faults as error:
            # The frames of its traceback would hold the file's bytes until all are decoded.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            with self._lock:
                if not job.over:
                    job.errors[image.number] = error
                    finished = self._done([image, *self._undecided(job)])
        except BaseException as error:
            self._fail([job], error)
        else:
            with self._lock:
                if job.errors and not job.over:
                    finished = self._done([image])
                elif not job.over:
                    image.kept, image.pixels = kept, pixels
                    self._pixels.put(image, job.key, job.lane)
                    self._pixels_wait.notify()
        _tell(finished)

    def _encode_batches(self) -> None:
        while True:
            with self._lock:
                while not (self._closed or (batch := self._next_batch())):
                    self._pixels_wait.wait()
                if self._closed:
                    return
                registering = all(image.job.lane is Lane.REGISTRATIONS for image in batch)
                self._registering += registering
            self._encode_batch(batch)
            del batch  # a thread that waits for the next must not hold on to the last
            if registering:
                with self._lock:
                    self._registering -= 1
                    self._pixels_wait.notify()  # of an encoder that had to leave some

    def _next_batch(self) -> list[_Image[Any, Any]]:
        return self._pixels.take(
            self._max_batch, registrations=self._registering < self._may_register
        )

    def _encode_batch(self, batch: list[_Image[Any, Any]]) -> None:
        try:
            start = perf_counter()
            rows = self._encode(self._collate([image.pixels for image in batch]))
            self._metrics.size.observe(len(batch))
            self._metrics.seconds.observe(perf_counter() - start)
        except BaseException as error:
            self._fail([image.job for image in batch], error)
            return
        with self._lock:
            self.pace.note(len(batch), monotonic())
            for i, image in enumerate(batch):
                image.job.done[image.number] = (image.kept, rows[i : i + 1])
            finished = self._done([image for image in batch if not image.job.over])
        _tell(finished)

    def _undecided(self, job: Job[File, Kept]) -> list[_Image[File, Kept]]:
        """Take the pixels of a job, which are of no use any more, out of the queue."""
        return [i for i in job.begun if self._pixels.discard(i, job.key, job.lane)]

    def _done(self, images: Sequence[_Image[Any, Any]]) -> list[Job[Any, Any]]:
        """Count images of jobs that are not over, begin others; returns the jobs that are now."""
        finished = []
        for image in images:
            job = image.job
            job.begun.remove(image)
            self._wait_more(job.lane, -1)
            if job.unbegun:
                self._begin_next(job)
            elif not job.begun:
                self._end(job)
                finished.append(job)
        return finished

    def _wait_more(self, lane: Lane, by: int) -> None:
        self.waiting[lane] += by
        self._metrics.waiting.labels(lane).inc(by)

    def _begin_next(self, job: Job[File, Kept]) -> None:
        image = job.unbegun.pop()
        job.begun.add(image)
        self._files.put(image, job.key, job.lane)
        self._file_waits.notify()

    def _end(self, job: Job[File, Kept]) -> None:
        if job.over:
            return
        job.over = True
        self._wait_more(job.lane, -len(job.unbegun) - len(job.begun))
        for image in job.begun:
            self._files.discard(image, job.key, job.lane)
            self._pixels.discard(image, job.key, job.lane)
        job.begun.clear()
        job.unbegun.clear()

    def _fail(self, jobs: list[Job[File, Kept]], error: BaseException) -> None:
        with self._lock:
            failed = [job for job in dict.fromkeys(jobs) if not job.over]
            for job in failed:
                self._end(job)
        _tell(failed, error)


def _tell(jobs: list[Job[File, Kept]], error: BaseException | None = None) -> None:
    """Wake whoever waits for these jobs: once, however many they are."""
    if not jobs:
        return

    def tell() -> None:
        for job in jobs:
            if job.answer.done():
                continue
            failed = FaultyImages(job.errors) if job.errors else error
            if failed is None:
                job.answer.set_result(job.done)
            else:
                job.answer.set_exception(failed)

    with suppress(RuntimeError):  # the event loop has ended, and so has everyone who waited
        jobs[0].answer.get_loop().call_soon_threadsafe(tell)
