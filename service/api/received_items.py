"""Images of a JSON body, received: those that it names by URL are fetched."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from service.api.json_documents import refusal
from service.api.uploads.items import Item, Remote
from service.api.uploads.json_images import read_items, read_labelled_items
from service.composition import ServiceParts


async def received_items(request: Request, parts: ServiceParts) -> list[Item]:
    """The images of a JSON body.

    Raises as :func:`service.api.uploads.json_images.read_items`.
    """
    return await _fetched(await read_items(request, parts.settings))


async def received_labelled_items(request: Request, parts: ServiceParts) -> list[tuple[str, Item]]:
    """The images of a JSON body with their labels.

    Raises as :func:`service.api.uploads.json_images.read_labelled_items`.
    """
    labelled = await read_labelled_items(request, parts.settings)
    items = await _fetched([item for _, item in labelled])
    return [(label, item) for (label, _), item in zip(labelled, items, strict=True)]


async def _fetched(items: Sequence[Item]) -> list[Item]:
    remote = [
        ((*item.place, "url"), "is a URL, and this service fetches none (HANDFUL_FETCH_FROM)")
        for item in items
        if isinstance(item, Remote)
    ]
    if remote:
        raise refusal(remote)
    return list(items)
