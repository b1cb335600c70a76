"""Explicit negatives: the images of the class whose label is reserved for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from service.name_validation import NOT_THESE
from service.storage.change import Written
from service.storage.records import ClassRecord


def id_of_negatives(records: Mapping[str, ClassRecord]) -> int | None:
    """The id of the class of negatives; None where there is none."""
    record = records.get(NOT_THESE)
    return None if record is None else record.id


def place_of_negatives(labels: Sequence[str]) -> int | None:
    """Its place among labels, where classes are numbered by their places."""
    return labels.index(NOT_THESE) if NOT_THESE in labels else None


def parted(support: SupportSet, negatives: int | None) -> tuple[SupportSet, SupportSet | None]:
    """The images of the classes, and the negatives; None where there are none.

    Args:
        support: All images.
        negatives: The class of the negatives, as the labels are.
    """
    if negatives is None or not len(support):
        return support, None
    mine = support.labels == negatives
    return (support[~mine], support[mine]) if bool(mine.any()) else (support, None)


def images_parted(
    images: LabelledEmbeddings, negatives: int | None
) -> tuple[LabelledEmbeddings, SupportSet | None]:
    """The same of images without identifiers, which are numbered."""
    found, others = parted(
        SupportSet(torch.arange(len(images)), images.labels, images.embeddings), negatives
    )
    return (images if others is None else found.labelled), others


@dataclass(frozen=True, slots=True)
class ImagesOfChange:
    """The images of a change, those of the classes and the negatives apart.

    Attributes:
        added: Of classes; None where there are none.
        removed: (n,) ids of images of classes; None where there are none.
        negatives: All negatives from now on; None: they stay as they are.
        negatives_removed: (m,) ids.
    """

    added: SupportSet | None
    removed: Tensor | None
    negatives: SupportSet | None
    negatives_removed: Tensor

    @classmethod
    def of(
        cls,
        written: Written,
        added: SupportSet | None,
        support: GrowingSupport,
        negatives: SupportSet | None,
        negatives_after: int | None,
    ) -> ImagesOfChange:
        """Part what a change has written.

        Args:
            written: The change.
            added: Its new images.
            support: The support set before it.
            negatives: The negatives before it.
            negatives_after: The class of negatives after it.
        """
        none = torch.empty(0, dtype=torch.int64)
        removed = written.images_removed(support)
        gone = none
        if negatives is not None:
            ids = negatives.ids
            leave = torch.isin(ids, torch.tensor(written.removed, dtype=torch.int64))
            leave |= torch.isin(
                negatives.labels, torch.tensor(written.classes_removed, dtype=torch.int64)
            )
            gone = ids[leave]
            if removed is not None:
                removed = removed[~torch.isin(removed, ids)]
        new = None
        if added is not None:
            added, new = parted(added, negatives_after)
        after = None
        if len(gone) or new is not None:
            parts = [] if negatives is None else [negatives.without(gone)]
            after = reduce(SupportSet.with_added, [*parts, *([] if new is None else [new])])
        return cls(
            added if added is not None and len(added) else None,
            removed if removed is not None and len(removed) else None,
            after,
            gone,
        )
