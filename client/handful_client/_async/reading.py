"""Images into batches, each read when its turn comes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import cast

from handful_client._async.concurrency import each, in_thread
from handful_client.batches import Batch, Gathering, Item, RefusedImage, to_send
from handful_client.errors import InvalidImage
from handful_client.images import (
    AsyncImages,
    AsyncLabelled,
    AsyncMany,
    ImageLike,
    files_of,
    is_one_image,
    read_image,
)


async def unlabelled(images: AsyncImages) -> AsyncIterator[tuple[str, ImageLike]]:
    """The images one by one, as pairs with no label."""
    if is_one_image(images):
        yield "", images
    elif isinstance(images, str | os.PathLike):
        for path in await in_thread(files_of, images):
            yield "", path
    else:
        async for image in each(cast("AsyncMany", images)):
            yield "", image


async def batches(labelled: AsyncLabelled, most: int, keep: bool = False) -> AsyncIterator[Batch]:
    """Batches of images, each of which is read when its turn comes.

    Args:
        labelled: Pairs of a label and an image.
        most: Images of a batch.
        keep: Whether images that cannot be read stay in their place, or end it.
    """
    gathering, position = Gathering(most), 0
    async for label, image in each(labelled):
        one: Item | RefusedImage
        try:
            one = Item(position, await in_thread(read_image, image, position), label)
        except InvalidImage as error:
            if not keep:
                raise
            one = RefusedImage(position, str(image)[:200], str(error))
        if (full := gathering.add(one)) is not None:
            yield full
        position += 1
    if (rest := gathering.rest()) is not None:
        yield rest


async def gathered(labelled: AsyncLabelled) -> list[Item]:
    """All images, read.

    Raises:
        InvalidImage: There is none.
    """
    items = [item async for part in batches(labelled, 1) for item in to_send(part)]
    if not items:
        raise InvalidImage("no image was given")
    return items
