"""Adding images to a classifier, each with its labels, on behalf of no request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
from fastapi_problem.error import StatusProblem

from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.recipes import RecipeGone
from service.images.embedded import EmbeddedImage, SupportImage
from service.images.uploaded import UploadedImage
from service.problems import ChangedMeanwhile
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.registry import Registry
from service.registry.support_views import ViewsNeeded

# Each failure is somebody else's change of what is to be embedded.
_ATTEMPTS = 10


async def added(
    parts: ServiceParts,
    registry: Registry,
    writers: anyio.CapacityLimiter,
    name: str,
    images: Sequence[UploadedImage],
    labels: Sequence[Sequence[str]],
) -> list[EmbeddedImage | StatusProblem]:
    """Add those images that are some, in one change; queries go before them.

    Args:
        parts: Of the service.
        registry: Makes the change.
        writers: Of the threads that it is made in.
        name: The classifier's.
        images: One or more.
        labels: Of each.

    Returns:
        What each image is, or what is wrong with it.

    Raises:
        StatusProblem: The change cannot be made; nothing was added.
    """
    live = await run_blocking(registry.live, name)
    views, fingerprint = live.settings.support_views, live.fingerprint
    texts = ClassTexts()
    embedded: list[EmbeddedImage | StatusProblem] | None = None
    for _ in range(_ATTEMPTS):
        try:
            if embedded is None:
                embedder = parts.embedder.of(fingerprint)
                embedded = await embedder.register_each(images, name, views)
            support = [
                SupportImage(label, image)
                for given, image in zip(labels, embedded, strict=True)
                if isinstance(image, EmbeddedImage)
                for label in given
            ]
            if support:
                await anyio.to_thread.run_sync(
                    registry.add_images, name, support, None, texts, limiter=writers
                )
            return embedded
        except TextsNeeded as needed:
            with suppress(RecipeGone):  # the change says what it needs now
                more = await parts.texts.embed(needed, name, _until_done)
                texts = texts.with_more(more)
        except ViewsNeeded as needed:
            views, fingerprint, embedded = needed.views, needed.fingerprint, None
        except RecipeGone:
            live = await run_blocking(registry.live, name)
            views, fingerprint = live.settings.support_views, live.fingerprint
    raise ChangedMeanwhile(
        "Others keep changing how the classifier embeds its images and class names."
    )


async def _until_done(answer: asyncio.Future[Any]) -> None:
    await asyncio.wait([answer])
