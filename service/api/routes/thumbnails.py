"""``.../thumbnail``: support images and remembered queries made small, for lists of many."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter, Request, Response

from service.api.conditional_requests import IsUnchanged, Unchanged
from service.api.dependencies import ImageId, Name, ReadyParts
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.media_types import binary
from service.api.openapi.responses import CLASSIFIER_NOT_FOUND, ETAG, Responses, tagged_problems
from service.api.routes.inbox import ItemId
from service.api.routes.support_images import INERT
from service.composition import ServiceParts
from service.problems import ImageDamaged, ImageNotFound, ImageNotStored, RememberedNotFound
from service.tenancy import tenant_of
from service.thumbnails.drawing import MEDIA_TYPE, SIDE
from service.thumbnails.thumbnails import Found

router = APIRouter(prefix="/v1/classifiers/{name}")

# The bytes of an id never change. Not for caches of others: what a key may see another may not.
_FOR_EVER = "private, max-age=31536000, immutable"
_NO_IMAGE = ImageNotFound("Classifier 'land-cover' has no support image '0b54...'. GET ...")
_NONE = RememberedNotFound("land-cover", "4bfa6c1d0c7c4d0f9b6f0a8e2b3c5d77")
_NOT_KEPT = ImageNotStored("The image supports its class, but the service was told not to keep ...")
_DAMAGED = ImageDamaged("cannot be decoded")
_THUMBNAIL: Responses = {
    200: {
        "content": {MEDIA_TYPE: binary(MEDIA_TYPE)},
        "description": f"At most {SIDE} pixels a side",
        "headers": ETAG,
    }
}


@router.get(
    "/images/{image_id}/thumbnail",
    summary="Get a support image made small",
    tags=["support set"],
    response_class=Response,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND, _NO_IMAGE, _NOT_KEPT, _DAMAGED) | _THUMBNAIL,
)
async def get_thumbnail(
    name: Name, image_id: ImageId, parts: ReadyParts, request: Request, unchanged: IsUnchanged
) -> Response:
    """A small JPEG, upright and in sRGB; made when it is first asked for, and kept.

    Found by the id alone, whichever class the image is in; browsers keep it for a year.
    """
    found = await run_blocking(parts.thumbnails.of_support, name, image_id)
    return await _answer(parts, request, unchanged, found)


@router.get(
    "/inbox/{item_id:remembered}/thumbnail",
    summary="Get the picture of a remembered query made small",
    tags=["inbox"],
    response_class=Response,
    responses=tagged_problems(CLASSIFIER_NOT_FOUND, _NONE, _NOT_KEPT, _DAMAGED) | _THUMBNAIL,
)
async def get_remembered_thumbnail(
    name: Name, item_id: ItemId, parts: ReadyParts, request: Request, unchanged: IsUnchanged
) -> Response:
    """As that of a support image, which the query may become one day."""
    found = await run_blocking(parts.thumbnails.of_remembered, name, item_id)
    return await _answer(parts, request, unchanged, found)


async def _answer(
    parts: ServiceParts, request: Request, unchanged: Unchanged, found: Found
) -> Response:
    response = unchanged(found.tag)
    if response is None:
        content = found.thumbnail
        if content is None:
            limiters = Limiters.of(request)
            async with limiters.thumbnails_of.of(tenant_of(found.content_key)):
                content = await anyio.to_thread.run_sync(
                    parts.thumbnails.made, found, limiter=limiters.thumbnails
                )
        headers = {**INERT, "etag": found.tag}
        response = Response(content, media_type=MEDIA_TYPE, headers=headers)
    response.headers["cache-control"] = _FOR_EVER
    return response
