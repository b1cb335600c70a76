"""Image embedder: from uploaded files to embeddings, off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import sleep
from typing import Any, NamedTuple

from fastapi_problem.error import StatusProblem
from torch import Tensor

from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from service.encoding.backpressure import AdmissionControl
from service.encoding.encoding_request import Answer, InvalidImages, Metadata, Rows
from service.encoding.fair_queue import Priority
from service.encoding.hand_over_metrics import HAND_OVERS
from service.encoding.invalid_images import IMAGE_ERRORS, aggregated
from service.encoding.micro_batching import MicroBatcher
from service.encoding.pass_metrics import IMAGES
from service.encoding.pending_answers import is_given
from service.images.decoding import DecodedImage, decode
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage
from service.problems import ImageTooLarge, RequestTooLarge
from service.settings import Settings

# Returns once the future is done, or raises when that is not worth waiting for any more.
Wait = Callable[[asyncio.Future[Any]], Awaitable[None]]


async def until_done(answer: asyncio.Future[Any]) -> None:
    """A wait as long as it takes."""
    await asyncio.wait([answer])


# Seconds between two looks whether an embedder that goes has work left, or may begin some.
_PAUSE = 0.05


class Picture(NamedTuple):
    """What the encoder embeds one row of.

    Attributes:
        pixels: (H, W, 3) uint8.
        priority: What they are for.
        prompts: (depth, length, width) learned prompts to embed them with; None: the encoder's own.
    """

    pixels: Tensor
    priority: Priority
    prompts: Tensor | None = None


class ImageEmbedder:
    """Embeds images: decodes in a pool of threads, encodes in micro-batches, behind a limit."""

    def __init__(self, backbone: Encoder, settings: Settings) -> None:
        self._backbone = backbone
        self._settings = settings
        self._batcher = MicroBatcher(
            self._encode,
            collate=list,
            max_batch=settings.max_batch or backbone.batch,
            passes=backbone.passes,
            decoders=settings.decode_threads,
            metrics=HAND_OVERS if backbone.shared else IMAGES,
        )
        self._admission = AdmissionControl(
            self._batcher, settings.max_waiting, self._batcher.window
        )
        self._resting = 0  # pieces of jobs that are to be asked for

    async def query(
        self,
        images: Sequence[UploadedImage],
        classifier: str,
        wait: Wait,
        at_once: Callable[[ImageEmbeddings], None] | None = None,
    ) -> ImageEmbeddings:
        """Embed images that someone wants an answer about, in their order.

        Args:
            images: One or more.
            classifier: Its queries take turns with those of others.
            wait: Waits for the answer; when it raises, what is not begun is not done.
            at_once: What the thread that has embedded the only image may do with it, where nothing
                else waits for that thread; it is perhaps not called, and what it raises is raised.

        Raises:
            Overloaded: Too much waits already; nothing was decoded.
            NotAnImage, BrokenImage, ImageTooLarge: The first image found at fault.
        """
        alone = at_once if len(images) == 1 else None
        answer = await self._embed(
            images, self._decode_to_ask, classifier, Priority.QUERIES, wait, at_once=alone
        )
        return ImageEmbeddings.concatenate([row for _, [row] in answer])

    async def register(
        self, images: Sequence[UploadedImage], classifier: str, wait: Wait, views: int = 1
    ) -> list[EmbeddedImage]:
        """Embed images of a support set, in their order; queries go before them.

        Args:
            images: One or more.
            classifier: Its registrations take turns with those of others.
            wait: Waits for them; when it raises, what is not begun is not done.
            views: Support views of each image: that many passes, which admission counts.

        Raises:
            Overloaded: Too much waits already; nothing was decoded.
            NotAnImage, BrokenImage, ImageTooLarge, InvalidUpload: The images at fault, all of
                them, in ``files``; of the kind of the first one. None of the others is used then.
            RequestTooLarge: They unpack to too much.
        """
        try:
            answer = await self._embed(
                images,
                partial(self._decode_to_keep, views),
                classifier,
                Priority.REGISTRATIONS,
                wait,
                IMAGE_ERRORS,
                views,
            )
        except InvalidImages as invalid:
            raise aggregated(images, invalid.errors) from invalid
        return [_whole(embedded, rows, views) for embedded, rows in answer]

    async def ask_each(
        self, images: Sequence[UploadedImage], classifier: str
    ) -> list[ImageEmbeddings | StatusProblem]:
        """Embed images that nobody waits for, to ask about them; requests go before them.

        Whoever calls this bounds how many there are at a time: admission control does not count
        them, and refuses no request because of them. They are not begun while requests of their
        tenant are refused.

        Returns:
            Of each image its (1, d) rows, or what is wrong with it, in their order.
        """
        prepare = partial(self._decode_to_ask, priority=Priority.JOBS)
        answers = await self._each(images, prepare, classifier)
        return [one if isinstance(one, StatusProblem) else one[1][0] for one in answers]

    async def register_each(
        self, images: Sequence[UploadedImage], classifier: str, views: int
    ) -> list[EmbeddedImage | StatusProblem]:
        """As :meth:`ask_each`, to register those that can be, with so many support views."""
        prepare = partial(self._decode_to_keep, views)
        answers = await self._each(images, prepare, classifier, views)
        return [one if isinstance(one, StatusProblem) else _whole(*one, views) for one in answers]

    async def _each(
        self,
        images: Sequence[UploadedImage],
        prepare: Callable[[UploadedImage], tuple[Metadata, Sequence[Picture]]],
        classifier: str,
        views: int = 1,
    ) -> list[tuple[Metadata, list[Rows]] | StatusProblem]:
        self._resting += 1
        try:
            while self._admission.sheds(classifier, Priority.JOBS):  # noqa: ASYNC110 - time ends it
                await asyncio.sleep(_PAUSE)
            requests = [
                self._batcher.submit([one], prepare, classifier, Priority.JOBS, inputs=views)
                for one in images
            ]
        finally:
            self._resting -= 1
        try:
            done = await asyncio.gather(
                *(request.answer for request in requests), return_exceptions=True
            )
        finally:
            for request in requests:
                if not is_given(request.answer):
                    self._batcher.withdraw(request)
        answers: list[tuple[Metadata, list[Rows]] | StatusProblem] = []
        for one in done:
            if isinstance(one, (*IMAGE_ERRORS, RequestTooLarge)):
                answers.append(one)
            elif isinstance(one, BaseException):
                raise one
            else:
                answers += one
        return answers

    @property
    def waiting(self) -> int:
        """Images that wait to be embedded, or are being."""
        return sum(self._batcher.waiting.values())

    def queries_wait(self) -> bool:
        """Whether an image that someone wants an answer about is not embedded; from any thread."""
        return self._batcher.waiting[Priority.QUERIES] > 0

    def close(self) -> None:
        """Stop the threads."""
        self._batcher.close()

    def close_when_idle(self) -> None:
        """Stop the threads once all that was asked for is answered; blocks.

        Nobody may ask any more; who was just about to is waited for.
        """
        sleep(_PAUSE)
        while self.waiting or self._resting:
            sleep(_PAUSE)
        self._batcher.close()

    async def _embed(
        self,
        images: Sequence[UploadedImage],
        prepare: Callable[[UploadedImage], tuple[Metadata, Sequence[Picture]]],
        classifier: str,
        priority: Priority,
        wait: Wait,
        item_errors: tuple[type[Exception], ...] = (),
        views: int = 1,
        at_once: Callable[[ImageEmbeddings], None] | None = None,
    ) -> Answer[Metadata]:
        passes = views * len(images)
        self._admission.admit(passes, classifier, priority)
        try:
            request = self._batcher.submit(
                images, prepare, classifier, priority, item_errors, inputs=views, at_once=at_once
            )
            try:
                await wait(request.answer)
                return request.answer.result()
            finally:
                if not is_given(request.answer):
                    self._batcher.withdraw(request)
        finally:
            self._admission.release(passes, classifier, priority)

    def _encode(self, pictures: list[Picture]) -> ImageEmbeddings:
        background = all(one.priority is not Priority.QUERIES for one in pictures)
        return self._backbone.encode_pictures(
            [one.pixels for one in pictures], background=background
        )

    def _decode_to_ask(
        self, image: UploadedImage, priority: Priority = Priority.QUERIES
    ) -> tuple[None, list[Picture]]:
        pixels = self._backbone.preprocess(self._decode(image, image.read()).pixels)
        return None, [self._picture(pixels, priority)]

    def _decode(self, image: UploadedImage, content: bytes) -> DecodedImage:
        if len(content) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"{image.called} has {len(content)} bytes; at most "
                f"{self._settings.max_image_bytes} are accepted."
            )
        return decode(
            content,
            self._settings.max_image_pixels,
            image.called,
            side=self._backbone.image_size,
        )

    def _decode_to_keep(
        self, views: int, image: UploadedImage
    ) -> tuple[partial[EmbeddedImage], list[Picture]]:
        """The image but for its embeddings, which are still to come, and pixels of its views."""
        content = image.read()
        decoded = self._decode(image, content)
        sha256 = hashlib.sha256(content).hexdigest()
        embedded = partial(
            EmbeddedImage,
            filename=image.filename,
            read=image.read,
            sha256=sha256,
            media_type=decoded.media_type,
            width=decoded.width,
            height=decoded.height,
            fingerprint=self._backbone.fingerprint,
        )
        pixels = self._backbone.preprocess_views(decoded.pixels, views, sha256)
        return embedded, [self._picture(view, Priority.REGISTRATIONS) for view in pixels]

    def _picture(self, pixels: Tensor, priority: Priority) -> Picture:
        return Picture(pixels, priority)


def _whole(
    embedded: partial[EmbeddedImage], rows: list[ImageEmbeddings], views: int
) -> EmbeddedImage:
    """An image of a support set with the rows of its views."""
    if views == 1:
        return embedded(embeddings=rows[0])
    mean = averaged(ImageEmbeddings.concatenate(rows))
    return embedded(embeddings=mean, views=views, itself=rows[0])
