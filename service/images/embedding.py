"""From uploaded files to embeddings, off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.images.batching import MicroBatcher
from service.images.decoding import decode
from service.problems import ImageTooLarge
from service.settings import Settings

# Images of one request that are decoded and not yet encoded: bounds memory, and lets a query
# in between two batches of a large registration.
_IN_FLIGHT = 32


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One file of a request.

    Attributes:
        filename: As the client named it; for messages and reports only.
        content: The bytes of the file.
    """

    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An uploaded image with all that is worth keeping of it."""

    filename: str
    content: bytes
    sha256: str
    media_type: str
    width: int
    height: int
    embeddings: ImageEmbeddings


class ImageEmbedder:
    """Decodes in a pool of threads and encodes in shared batches."""

    def __init__(self, backbone: Backbone, settings: Settings) -> None:
        self.batcher = MicroBatcher(backbone, settings.max_batch)
        self._backbone = backbone
        self._settings = settings
        self._decoders = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decoder")

    async def embed(self, images: Sequence[UploadedImage]) -> list[EmbeddedImage]:
        """Embed all images, in their order.

        Raises:
            NotAnImage, BrokenImage, ImageTooLarge: The first image found at fault; none of the
                others is used then.
        """
        places = asyncio.Semaphore(_IN_FLIGHT)

        async def one(image: UploadedImage) -> EmbeddedImage:
            async with places:
                return await self._embed(image)

        tasks = [asyncio.create_task(one(image)) for image in images]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        """Stop the threads."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self.batcher.close()

    async def _embed(self, image: UploadedImage) -> EmbeddedImage:
        loop = asyncio.get_running_loop()
        partly, pixels = await loop.run_in_executor(self._decoders, self._decode, image)
        embeddings = await self.batcher.encode(pixels)
        return EmbeddedImage(*partly, embeddings)

    def _decode(self, image: UploadedImage) -> tuple[tuple[str, bytes, str, str, int, int], Tensor]:
        what = f"The image {image.filename!r}" if image.filename else "The image"
        if len(image.content) > self._settings.max_image_bytes:
            raise ImageTooLarge(
                f"{what} has {len(image.content)} bytes; at most "
                f"{self._settings.max_image_bytes} are accepted."
            )
        decoded = decode(image.content, self._settings.max_image_pixels, what)
        digest = hashlib.sha256(image.content).hexdigest()
        size = decoded.pixels.size
        kept = (image.filename, image.content, digest, decoded.media_type, *size)
        return kept, self._backbone.preprocess(decoded.pixels)
