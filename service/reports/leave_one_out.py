"""Leave-one-out predictions for the support images that a report examines."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.embeddings import SupportSet
from adapters.heads import HEADS
from adapters.systematic_sampling import evenly
from adapters.tuning.bursts import one_of_each_burst
from service.registry.snapshot import Snapshot

#: Most images that a report examines: its time and memory grow with images times classes.
MAX_IMAGES = 4096


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Leave-one-out predictions: support images, each classified by the others.

    Attributes:
        images: All images that are looked at.
        support: The n of them that take part: without near copies where there are many, as in
            the tuning.
        columns: (n,) int64 column of the class of each.
        probabilities: (n, N) of all N classes that can be answered, each row without its own
            image.
        judged: (m,) int64 rows of the images that are not the only one of their class. The
            others cannot be judged: without them their class has no image to name it.
    """

    images: SupportSet
    support: SupportSet
    columns: Tensor
    probabilities: Tensor
    judged: Tensor

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Leave-one-out on a state of a classifier: each image is classified by the rest.

        Frames of one film name each other, so that nobody would suspect a mislabelled film, and
        the accuracy would be that of films that are known already: hence without near copies
        (:func:`adapters.tuning.bursts.one_of_each_burst`), if at least a quarter of
        the images has one. Where they are fewer they take part, and name their like.

        Costs about what answering each image once costs.
        """
        images = snapshot.support
        images = images[stratified(images.labels, MAX_IMAGES)]
        support = one_of_each_burst(images)
        columns = snapshot.classes.columns(support.labels)
        n_classes = len(snapshot.classes)
        if len(support) == 0:
            return cls(images, support, columns, torch.empty(0, n_classes), columns)
        head = HEADS[snapshot.method](snapshot.logit_scale)
        logits = head.left_out(snapshot.classes, support.labelled, snapshot.tuning)
        shots = torch.bincount(columns, minlength=n_classes)
        return cls(
            images,
            support,
            columns,
            (logits / snapshot.tuning.temperature).softmax(dim=1),
            (shots[columns] > 1).nonzero().flatten(),
        )

    @property
    def predicted(self) -> Tensor:
        """(n,) int64 column of the class that the others name."""
        return self.probabilities.argmax(dim=1)


def stratified(labels: Tensor, most: int) -> Tensor:
    """Stratified subsample of at most ``most`` rows, in their order; small classes stay whole.

    As many of each class as fit if all get equally many, spread evenly over its images, but
    never a single one of several, which could not be judged. Should there be too many classes
    for that, classes are spread evenly.

    Args:
        labels: (n,) int64 classes.
        most: At least 2.

    Returns:
        (m,) int64 rows, m at most ``most``.
    """
    if len(labels) <= most:
        return torch.arange(len(labels))
    _, columns, shots = torch.unique(labels, return_inverse=True, return_counts=True)

    def total(each: int) -> int:
        return int(shots.clamp(max=each).sum())

    # The largest number of each class at which all fit.
    each = max(2, bisect_right(range(1, int(shots.max()) + 1), most, key=total))
    by_class = torch.split(columns.argsort(stable=True), shots.tolist())
    if total(each) > most:
        by_class = tuple(by_class[i] for i in evenly(len(by_class), most // each).tolist())
    chosen = [rows[evenly(len(rows), each)] for rows in by_class]
    return torch.cat(chosen).sort().values
