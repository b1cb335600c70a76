"""Image issues of a support set: suspected label errors, and near-duplicates.

A label error is suspected where leave-one-out finds another class far more probable than the one
that an image is registered in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.tuning.near_duplicates import near_duplicates
from service.registry.snapshot import Snapshot
from service.reports.image_schemas import LookedUpImage, SimilarImage, Suspect
from service.reports.leave_one_out import LeaveOneOut
from service.reports.schemas import NearCopy

# How many times as probable as its own class another one must be for an image to be suspected.
# With a label in 25 moved at random (EuroSAT, PACS, Grocery, Caltech-101; 3 draws each) 764
# suspects hold 295 of 297 moved ones. Ordered by this ratio, 91 % of the first ones are moved
# (as many looked at as were moved); ordered by the difference of the probabilities, 74 %.
ODDS = 3.0
#: The longest list that a report has.
MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """Index of labels and support images by their ids: what people read, and where an image is got.

    Attributes:
        snapshot: The state of the classifier.
        labels: Label of each class, by its id.
        root_path: Prefix of addresses where a proxy adds one.
    """

    snapshot: Snapshot
    labels: dict[int, str]
    root_path: str

    @classmethod
    def of(cls, snapshot: Snapshot, root_path: str) -> Self:
        """Index of a state of a classifier, under the path of a proxy."""
        labels = {record.id: label for label, record in snapshot.records.items()}
        return cls(snapshot, labels, root_path)

    def columns(self) -> list[str]:
        """The label of each column."""
        return [self.labels[i] for i in self.snapshot.classes.ids.tolist()]

    def image(self, support_id: int) -> LookedUpImage:
        """A support image with its label and its address."""
        record = self.snapshot.images[support_id]
        label = self.labels[record.class_id]
        return LookedUpImage.of(record, label, self.snapshot.name, self.root_path)

    def similar(self, support_id: int, similarity: float) -> SimilarImage:
        """A support image as one that resembles another."""
        return SimilarImage(**self.image(support_id).model_dump(), similarity=min(similarity, 1.0))


def suspected_label_errors(left_out: LeaveOneOut, index: ImageIndex) -> tuple[int, list[Suspect]]:
    """Suspected label errors: how many there are, and the clearest of them.

    The order is that of the ratio of the two probabilities: 0.6 against 0.001 says more than
    0.7 against 0.3.
    """
    rows = left_out.judged
    logs = left_out.probabilities[rows].log()
    best, predicted = logs.max(dim=1) if len(rows) else (torch.empty(0), rows)
    own = logs.gather(1, left_out.columns[rows].unsqueeze(1)).squeeze(1)
    # A ratio that overflows is as clear as can be.
    odds = (best - own).nan_to_num(posinf=torch.inf)
    suspected = (odds >= torch.tensor(ODDS).log()) & (predicted != left_out.columns[rows])
    order = odds.masked_fill(~suspected, -torch.inf).argsort(descending=True, stable=True)
    shown = order[: min(int(suspected.sum()), MAX_LISTED)]
    labels = index.columns()
    ids = left_out.support.ids
    similarity, nearest = _nearest(left_out, rows[shown], predicted[shown])
    listed = [
        Suspect(
            **index.image(image).model_dump(),
            named=labels[column],
            probability=probability,
            own_probability=own_probability,
            nearest=index.similar(other, value) if value > -torch.inf else None,
        )
        for image, column, probability, own_probability, value, other in zip(
            ids[rows[shown]].tolist(),
            predicted[shown].tolist(),
            best[shown].exp().tolist(),
            own[shown].exp().tolist(),
            similarity.tolist(),
            ids[nearest].tolist(),
            strict=True,
        )
    ]
    return int(suspected.sum()), listed


def _nearest(left_out: LeaveOneOut, rows: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest image of the predicted class: similarity and row; -inf if it has no image."""
    if len(rows) == 0:
        return torch.empty(0), rows
    keys = left_out.support.embeddings.corrected
    other = left_out.columns != predicted.unsqueeze(1)
    values, nearest = (keys[rows] @ keys.T).masked_fill(other, -torch.inf).max(dim=1)
    return values, nearest


def listed_near_duplicates(left_out: LeaveOneOut, index: ImageIndex) -> tuple[int, list[NearCopy]]:
    """Near-duplicates of another image of their class: how many there are, and the nearest."""
    images = left_out.images
    original = near_duplicates(images)
    copies = (original != torch.arange(len(original))).nonzero().flatten()
    keys = images.embeddings.corrected
    similarity = (keys[copies] * keys[original[copies]]).sum(dim=1)
    order = similarity.argsort(descending=True, stable=True)[:MAX_LISTED]
    shown = copies[order]
    listed = [
        NearCopy(**index.image(copy).model_dump(), copy_of=index.similar(of, value))
        for copy, of, value in zip(
            images.ids[shown].tolist(),
            images.ids[original[shown]].tolist(),
            similarity[order].tolist(),
            strict=True,
        )
    ]
    return len(copies), listed
