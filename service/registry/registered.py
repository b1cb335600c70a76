"""What a registration says of each of its images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.embeddings import ImageEmbeddings
from service.images.embedded import SupportImage
from service.problems import NoClasses
from service.registry.live import LiveClassifier
from service.registry.predictions import Prediction
from service.storage.records import SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What became of one uploaded image.

    Attributes:
        label: Of its class.
        filename: As the client named it.
        record: Of the support image.
        created: Whether it is new.
        before: What the image was taken for before the change; None where that was not asked, or
            there was no class to choose from.
        after: The same after it.
    """

    label: str
    filename: str
    record: SupportRecord
    created: bool
    before: Prediction | None = None
    after: Prediction | None = None

    @property
    def status(self) -> Literal["created", "duplicate"]:
        """Whether it was added, or is one that its class has already."""
        return "created" if self.created else "duplicate"


def taken_for(
    live: LiveClassifier, images: Sequence[SupportImage], top_k: int | None
) -> list[Prediction] | list[None]:
    """What each image is taken for now; None where that is not asked or there are no classes.

    Block by block, so that others are answered between two of them. Who holds the single-writer
    lock gets all of it from one state.
    """
    if top_k is None or not images:
        return [None] * len(images)
    queries = ImageEmbeddings.concatenate([image.plain or image.embeddings for _, image in images])
    answers: list[Prediction] = []
    try:
        for start in range(0, len(queries), live.block):
            answers += live.predict(queries[start : start + live.block], top_k, 0)
    except NoClasses:
        return [None] * len(images)
    return answers


def all_registered(
    images: Sequence[SupportImage],
    known: Mapping[tuple[str, str], SupportRecord],
    new: Collection[tuple[str, str]],
    before: Sequence[Prediction | None],
    after: Sequence[Prediction | None],
) -> list[Registered]:
    """What became of each image, in their order; of an image that came twice the first is new.

    Args:
        images: Of the registration.
        known: All of them as they are stored, by label and SHA-256.
        new: Those that it added.
        before: What each was taken for before.
        after: And after it.
    """
    answers, left = [], set(new)
    for (label, image), earlier, later in zip(images, before, after, strict=True):
        key = label, image.sha256
        answers.append(
            Registered(
                label=label,
                filename=image.filename,
                record=known[key],
                created=key in left,
                before=earlier,
                after=later,
            )
        )
        left.discard(key)
    return answers
