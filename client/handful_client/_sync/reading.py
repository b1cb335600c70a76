"""Images into batches, each read when its turn comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

from handful_client._sync.concurrency import each, in_thread
from handful_client.batches import Batch, Gathering, Item, RefusedImage, to_send
from handful_client.errors import InvalidImage
from handful_client.images import (
    ImageLike,
    Images,
    Labelled,
    Many,
    files_of,
    is_one_image,
    read_image,
)


def unlabelled(images: Images) -> Iterator[tuple[str, ImageLike]]:
    """The images one by one, as pairs with no label."""
    if is_one_image(images):
        yield "", images
    elif isinstance(images, str | os.PathLike):
        for path in in_thread(files_of, images):
            yield "", path
    else:
        for image in each(cast("Many", images)):
            yield "", image


def batches(labelled: Labelled, most: int, keep: bool = False) -> Iterator[Batch]:
    """Batches of images, each of which is read when its turn comes.

    Args:
        labelled: Pairs of a label and an image.
        most: Images of a batch.
        keep: Whether images that cannot be read stay in their place, or end it.
    """
    gathering, position = Gathering(most), 0
    for label, image in each(labelled):
        one: Item | RefusedImage
        try:
            one = Item(position, in_thread(read_image, image, position), label)
        except InvalidImage as error:
            if not keep:
                raise
            one = RefusedImage(position, str(image)[:200], str(error))
        if (full := gathering.add(one)) is not None:
            yield full
        position += 1
    if (rest := gathering.rest()) is not None:
        yield rest


def gathered(labelled: Labelled) -> list[Item]:
    """All images, read.

    Raises:
        InvalidImage: There is none.
    """
    items = [item for part in batches(labelled, 1) for item in to_send(part)]
    if not items:
        raise InvalidImage("no image was given")
    return items
