"""Registering on behalf of no request: those images that are some, in one change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import anyio
import anyio.to_thread
from fastapi_problem.error import StatusProblem

from service.encoding.image_embedder import until_done
from service.encoding.recipes import RecipeEmbedders, RecipeGone
from service.encoding.text_embedder import TextEmbedder
from service.images.embedded import EmbeddedImage, SupportImage
from service.images.uploaded import UploadedImage
from service.problems import ChangedMeanwhile
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.live import LiveClassifier
from service.registry.registered import Registered
from service.registry.registry import Registry
from service.registry.support_views import ViewsNeeded

# Each failure is somebody else's change of what is to be embedded.
_ATTEMPTS = 10


async def registered(
    registry: Registry,
    embedders: RecipeEmbedders,
    texts: TextEmbedder,
    writers: anyio.CapacityLimiter,
    name: str,
    images: Sequence[UploadedImage],
    labels: Sequence[Sequence[str]],
    check: Callable[[LiveClassifier], None],
) -> tuple[list[EmbeddedImage | StatusProblem], list[Registered]]:
    """Register images, each with its labels; queries go before them.

    Args:
        registry: Makes the change.
        embedders: Embed the images.
        texts: Embeds names of classes.
        writers: Of the threads that the change is made in.
        name: The classifier's.
        images: One or more.
        labels: Of each.
        check: Raises where the classifier of that name is not the one that is meant.

    Returns:
        What each image is, or what is wrong with it; and what became of those that are some, once
        for each of their labels.

    Raises:
        StatusProblem: The change cannot be made; nothing was registered.
    """
    given = ClassTexts()
    asked: tuple[int, str] | None = None  # support views, and the fingerprint of a recipe
    embedded: list[EmbeddedImage | StatusProblem] | None = None
    for _ in range(_ATTEMPTS):
        live = await anyio.to_thread.run_sync(registry.live, name)
        check(live)
        views, fingerprint = asked or (live.settings.support_views, live.fingerprint)
        try:
            if embedded is None:
                embedded = await embedders.of(fingerprint).register_each(images, name, views)
            support = [
                SupportImage(label, image)
                for of_image, image in zip(labels, embedded, strict=True)
                if isinstance(image, EmbeddedImage)
                for label in of_image
            ]
            done: list[Registered] = []
            if support:
                done = await anyio.to_thread.run_sync(
                    registry.add_images, name, support, None, given, limiter=writers
                )
            return embedded, done
        except TextsNeeded as needed:
            with suppress(RecipeGone):  # the change says what it needs now
                given = given.with_more(await texts.embed(needed, name, until_done))
        except ViewsNeeded as needed:
            asked, embedded = (needed.views, needed.fingerprint), None
        except RecipeGone:
            asked = None
    raise ChangedMeanwhile(
        "Others keep changing how the classifier embeds its images and class names."
    )
