"""Support views for a change: images embedded as the classifier asks for, before it is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from fastapi import Request
from fastapi_problem.error import StatusProblem

from service.api.deadlines import deadline_or_disconnect
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.encoding.invalid_images import IMAGE_ERRORS
from service.encoding.recipes import RecipeGone
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage
from service.problems import ChangedMeanwhile, InvalidSettings
from service.registry.support_views import ViewsNeeded
from service.storage.records import SupportRecord
from service.storage.statements import chunks
from service.storage.store import Store

T = TypeVar("T")

# Each failure is somebody else's change of the setting, or of the images.
_ATTEMPTS = 10


async def registered_with_views(
    request: Request,
    parts: ServiceParts,
    name: str,
    embed: Callable[[Wait, str, int], Awaitable[list[EmbeddedImage]]],
    views: int,
    fingerprint: str,
    register: Callable[[list[EmbeddedImage]], Awaitable[T]],
) -> T:
    """Embed images as their classifier asks for, and register them.

    Args:
        request: Whose client waits.
        parts: Of the service.
        name: The classifier's.
        embed: Embeds the images of the request in the recipe of a fingerprint, with so many views.
        views: How many it asks for, as far as is known.
        fingerprint: Of the recipe that it is of, likewise.
        register: The change; it says where that has changed.

    Raises:
        ChangedMeanwhile: The setting was another one each time.

    Raises as :meth:`service.encoding.image_embedder.ImageEmbedder.register`.
    """
    wait = deadline_or_disconnect(request)
    for _ in range(_ATTEMPTS):
        try:
            return await register(await embed(wait, fingerprint, views))
        except ViewsNeeded as needed:
            views, fingerprint = needed.views, needed.fingerprint
        except RecipeGone:
            live = await run_blocking(parts.registry.live, name)
            views, fingerprint = live.settings.support_views, live.fingerprint
    raise _changed_meanwhile()


async def changed_with_views(
    request: Request,
    parts: ServiceParts,
    name: str,
    change: Callable[[Mapping[str, EmbeddedImage]], Awaitable[T]],
) -> T:
    """Make a change of settings, with the classifier's images embedded anew if it needs that.

    Args:
        request: Whose client waits; when it is gone, what is not begun is not done.
        parts: Of the service.
        name: The classifier's.
        change: Takes images by their SHA-256.

    Raises:
        InvalidSettings: Images were not kept, or cannot be decoded any more.
        Overloaded: Too much waits already.
        ChangedMeanwhile: Whenever images were embedded, others had come.
    """
    embedded: dict[str, EmbeddedImage] = {}
    for _ in range(_ATTEMPTS):
        try:
            return await change(embedded)
        except ViewsNeeded as needed:
            with suppress(RecipeGone):  # the change says in which one it is now
                embedded |= await _embedded_anew(request, parts, name, needed)
    raise _changed_meanwhile()


async def _embedded_anew(
    request: Request, parts: ServiceParts, name: str, needed: ViewsNeeded
) -> dict[str, EmbeddedImage]:
    records = needed.images
    lost = len(records) - await run_blocking(_kept, parts.store, records)
    if lost:
        raise InvalidSettings(
            f"support_views, prompts: {lost} of the {len(records)} images were not kept "
            f"(HANDFUL_STORE_IMAGES=false), so they cannot be embedded again ({needed.views} views "
            "of each). Leave these settings as they are, or create another classifier with them "
            "and register the images there."
        )
    images = [
        UploadedImage(record.filename, partial(_content, parts.store, record)) for record in records
    ]
    wait = deadline_or_disconnect(request)
    try:
        embedded = await parts.embedder.register(
            images, name, wait, needed.fingerprint, needed.views
        )
    except IMAGE_ERRORS as problem:
        # Other limits or another version's decoder may refuse what was taken once.
        raise InvalidSettings(
            "support_views, prompts: images of the classifier cannot be embedded again. "
            f"{problem.detail} Delete them, or leave these settings as they are."
        ) from problem
    return {one.sha256: one for one in embedded}


def _kept(store: Store, records: Sequence[SupportRecord]) -> int:
    ids = [record.public_id for record in records]
    return sum(len(store.kept_images(some)) for some in chunks(ids))


def _content(store: Store, record: SupportRecord) -> bytes:
    """The bytes of a stored image; in a decoder's thread."""
    if (content := store.content(record.id)) is None:
        raise _changed_meanwhile()
    return content


def _changed_meanwhile() -> StatusProblem:
    return ChangedMeanwhile(
        "Others changed how the classifier's images are embedded, or these, while images were "
        "embedded for this change; nothing of it was done. Send it again.",
        headers={"retry-after": "5"},
    )
