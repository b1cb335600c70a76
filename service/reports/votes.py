"""Votes of a report: which class the others name for each support image that they can judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from service.registry.snapshot import Snapshot
from service.reports.leave_one_out import LeaveOneOut
from service.storage.records import SupportRecord


class Vote(NamedTuple):
    """A support image with the class that the others name for it."""

    record: SupportRecord
    label: str
    named: str
    probability: float
    own_probability: float


@dataclass(frozen=True, slots=True)
class Votes:
    """All votes of one state of a classifier, as its confusion matrix counts them.

    Holds no embeddings, so that it can be kept beside the report.

    Attributes:
        labels: Of the classes.
        votes: The most probable first.
    """

    labels: frozenset[str]
    votes: Sequence[Vote]

    @classmethod
    def of(cls, snapshot: Snapshot, left_out: LeaveOneOut) -> Self:
        """The votes of a state, from its leave-one-out."""
        of_class = {record.id: label for label, record in snapshot.records.items()}
        rows = left_out.judged
        if len(rows) == 0:
            return cls(frozenset(snapshot.records), ())
        labels = [of_class[i] for i in snapshot.classes.ids.tolist()]
        columns, predicted = left_out.columns[rows], left_out.predicted[rows]
        probabilities = left_out.probabilities[rows]
        probability = probabilities.gather(1, predicted.unsqueeze(1)).squeeze(1)
        own_probability = probabilities.gather(1, columns.unsqueeze(1)).squeeze(1)
        order = probability.argsort(descending=True, stable=True)
        votes = [
            Vote(snapshot.images[image], labels[own], labels[named], likely, own_likely)
            for image, own, named, likely, own_likely in zip(
                left_out.support.ids[rows[order]].tolist(),
                columns[order].tolist(),
                predicted[order].tolist(),
                probability[order].tolist(),
                own_probability[order].tolist(),
                strict=True,
            )
        ]
        return cls(frozenset(snapshot.records), votes)

    def of_cell(self, label: str, named: str) -> list[Vote]:
        """Those of one cell of the confusion matrix."""
        return [one for one in self.votes if one.label == label and one.named == named]
