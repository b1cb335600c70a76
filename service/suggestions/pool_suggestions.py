"""Which images of a pool to register next, and which of them are registered already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.herding import Nearest, herd, herd_classes, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestSupport:
    """The support image that an image of the pool resembles most.

    Attributes:
        row: Among the support images.
        similarity: Cosine similarity of the corrected embeddings.
    """

    row: int
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An image that is worth a label.

    Attributes:
        position: Among the images of the pool.
        gain: By how much it raises coverage: of the pool, or of its class where that is known.
        coverage: What is reached with it and those before it, at most 1.
        nearest: The support image nearest to it; None where there are none.
    """

    position: int
    gain: float
    coverage: float
    nearest: NearestSupport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCopy:
    """An image of the pool that is a support image already, or a copy of one.

    Attributes:
        position: Among the images of the pool.
        nearest: The support image.
    """

    position: int
    nearest: NearestSupport


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What a pool has for a support set.

    Attributes:
        suggested: Images to register, best first.
        registered: Images that need not be, in their order.
    """

    suggested: list[Suggestion]
    registered: list[RegisteredCopy]


def suggest(
    pool: Tensor, labels: Tensor | None, support: Tensor, support_labels: Tensor, n: int
) -> Suggestions:
    """Choose images of a pool on top of a support set; O(m · (m + s) · d).

    Args:
        pool: (m, d) corrected embeddings of the pool.
        labels: (m,) int64 classes of its images; None where they are unknown.
        support: (s, d) corrected embeddings of the support set.
        support_labels: (s,) int64 classes of its images.
        n: How many at most: of each class where ``labels`` are known, in all where not.
    """
    near = nearest(pool, support)
    if labels is None:
        found = herd(pool, near.similarities, n)
    else:
        held = _within_classes(pool, labels, support, support_labels)
        # What is registered under another label must not be registered again.
        held = torch.where(near.same_picture, near.similarities, held)
        found = herd_classes(pool, labels, held, n)
    rows = zip(found.rows.tolist(), found.gains.tolist(), found.coverage.tolist(), strict=True)
    any_support = len(support) > 0
    return Suggestions(
        [
            Suggestion(
                position=row,
                gain=gain,
                coverage=coverage,
                nearest=_named(near, row) if any_support else None,
            )
            for row, gain, coverage in rows
        ],
        [
            RegisteredCopy(position=row, nearest=_named(near, row))
            for row in near.same_picture.nonzero().flatten().tolist()
        ],
    )


def class_numbers(labels: Sequence[str] | None, classes: Mapping[str, int]) -> Tensor | None:
    """(m,) int64 classes of a pool's images by the labels of their folders; None: unknown.

    One folder around all of them tells nothing, unless it has the name of a class.

    Args:
        labels: Of the m images; None where they have no folders.
        classes: Numbers of the classes that there are, none negative, by their labels.
    """
    if labels is None:
        return None
    found = dict.fromkeys(labels)
    if len(found) == 1 and not found.keys() & classes.keys():
        return None
    fresh = (label for label in found if label not in classes)
    numbers = {**classes, **{label: -1 - i for i, label in enumerate(fresh)}}
    return torch.tensor([numbers[label] for label in labels], dtype=torch.int64)


def _within_classes(
    pool: Tensor, labels: Tensor, support: Tensor, support_labels: Tensor
) -> Tensor:
    """(m,) cosine similarity of each image with the nearest support image of its class."""
    held = pool.new_empty(len(pool))
    for label in sorted(set(labels.tolist())):
        rows = labels == label
        held[rows] = nearest(pool[rows], support[support_labels == label]).similarities
    return held


def _named(near: Nearest, row: int) -> NearestSupport:
    # Rounding must not make more of a similarity than it can be.
    similarity = min(float(near.similarities[row]), 1.0)
    return NearestSupport(row=int(near.rows[row]), similarity=similarity)
