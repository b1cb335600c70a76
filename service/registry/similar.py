"""Nearest neighbours of a query among the support images of a classifier, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.embeddings import View
from adapters.products import inner_products
from service.name_validation import NOT_THESE
from service.registry.snapshot import Snapshot
from service.storage.records import SupportRecord

# Similarities are compared in millionths, about what float32 resolves: what is nearer by less is
# not nearer, and the same embedding in two places is equally near.
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends: at the image that is its last.

    Attributes:
        millionths: Its similarity.
        image_id: Its public id.
    """

    millionths: int
    image_id: str

    @classmethod
    def read(cls, written: str) -> Self:
        """From how it is written, which was checked."""
        millionths, _, image_id = written.partition(".")
        return cls(int(millionths), image_id)

    def __str__(self) -> str:
        return f"{self.millionths}.{self.image_id}"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A support image, and how similar it is to the query.

    Attributes:
        record: The image.
        label: Of its class.
        similarity: Cosine, to a millionth.
    """

    record: SupportRecord
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the neighbours, nearest first.

    Attributes:
        neighbours: On this page.
        total: Support images in all, explicit negatives among them.
        following: Where the next page begins; None where there is none.
    """

    neighbours: list[Neighbour]
    total: int
    following: Cursor | None


def page_of_similar(
    state: Snapshot, query: Tensor, view: View, limit: int, after: Cursor | None = None
) -> Page:
    """The support images nearest to a query; exact: it is compared with each.

    Of images that are equally near the one with the smaller id comes first. So pages of one query
    neither repeat nor skip an image that is there all the while, whatever comes and goes.

    Args:
        state: The classifier.
        query: (1, width) unit vector.
        view: By which of the two embeddings images are compared with it.
        limit: Most neighbours on the page.
        after: Where the page before ended; None: the first page.
    """
    ids, near = _millionths(state, query, view)
    total = len(near)
    if after is not None:
        here = near <= after.millionths
        ids, near = ids[here], near[here]
    # The last image of the page before may stand among many that are as near.
    ties = 0 if after is None else int((near == after.millionths).sum())
    enough = limit + 1 + ties
    if enough < len(near):
        least = np.partition(near, len(near) - enough)[len(near) - enough]
        ids, near = ids[near >= least], near[near >= least]
    last = None if after is None else (-after.millionths, after.image_id)

    def record(i: int) -> SupportRecord:
        return state.images[i] if i in state.images else state.negative_images[i]

    ordered = sorted(
        (-millionths, record(i).public_id, i)
        for i, millionths in zip(ids.tolist(), near.tolist(), strict=True)
    )
    left = [one for one in ordered if last is None or one[:2] > last]
    label_of = {record.id: record.label for record in state.records.values()}
    neighbours = [
        Neighbour(record(i), label_of.get(record(i).class_id, NOT_THESE), -millionths / _MILLION)
        for millionths, _, i in left[:limit]
    ]
    following = None
    if len(left) > limit:
        millionths, image_id, _ = left[limit - 1]
        following = Cursor(-millionths, image_id)
    return Page(neighbours, total, following)


def _millionths(
    state: Snapshot, query: Tensor, view: View
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) ids of all support images, and their similarities."""
    ids, near = [], []
    for images in (state.support, state.negatives):
        if images is None or not len(images):
            continue
        rows: Tensor = getattr(images.embeddings, view)
        cosines = inner_products(query.to(rows.device), rows)[0].cpu().numpy()
        ids.append(images.ids.cpu().numpy())
        near.append(np.rint(cosines.astype(float) * _MILLION).astype(np.int64))
    if not ids:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(ids), np.concatenate(near)
