"""Embeddings of support images, made before the change that needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.images.embedded import EmbeddedImage, SupportImage
from service.problems import RequestTooLarge
from service.storage.records import SupportRecord

MOST_PASSES = 20_000
"""Most passes of the encoder that a change of settings may cost: one or two minutes of it."""


class ViewsNeeded(Exception):
    """A change needs embeddings of so many views that were not given; nothing was done yet.

    Whoever makes the change embeds them, outside of all locks, and makes it again (optimistic
    concurrency: meanwhile others may have added images, or changed the setting, or the classifier
    has moved to another recipe).

    Attributes:
        views: The number.
        fingerprint: Of the recipe that the classifier is of.
        images: Support images that lack them; none: those that were to be added.
    """

    def __init__(self, views: int, fingerprint: str, images: Sequence[SupportRecord] = ()) -> None:
        super().__init__(f"{views} views of {len(images)} stored images are to be embedded")
        self.views = views
        self.fingerprint = fingerprint
        self.images = images


def check_views(images: Sequence[SupportImage], views: int, fingerprint: str) -> None:
    """See that images to be added are embedded as the classifier asks for.

    Raises:
        ViewsNeeded: They are not.
    """
    if any((image.views, image.fingerprint) != (views, fingerprint) for _, image in images):
        raise ViewsNeeded(views, fingerprint)


def renewed(
    images: Mapping[int, SupportRecord],
    views: int,
    fingerprint: str,
    embedded: Mapping[str, EmbeddedImage],
) -> dict[int, EmbeddedImage]:
    """All support images of a classifier with embeddings of other views, by their ids.

    Args:
        images: The classifier's, by their ids.
        views: Of each, from now on.
        fingerprint: Of the recipe that the classifier is of.
        embedded: Those that were made, by SHA-256.

    Raises:
        ViewsNeeded: Some were not.
        RequestTooLarge: It would cost too many passes of the encoder.
    """
    if (passes := views * len({record.sha256 for record in images.values()})) > MOST_PASSES:
        raise RequestTooLarge(
            f"{views} views of all images of the classifier are {passes} passes of the encoder; at "
            f"most {MOST_PASSES} are made for a change of settings. Choose fewer views, or create "
            "another classifier with these settings and register the images there."
        )
    found = {
        i: one
        for i, record in images.items()
        if (one := embedded.get(record.sha256)) is not None
        and (one.views, one.fingerprint) == (views, fingerprint)
    }
    if len(found) < len(images):
        missing = {record.sha256: record for i, record in images.items() if i not in found}
        raise ViewsNeeded(views, fingerprint, list(missing.values()))
    return found
