"""A snapshot: one state of a classifier, to be looked at while the classifier goes on changing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.embeddings import ClassSet, SupportSet
from adapters.heads import Tuning
from service.storage.records import ClassRecord, SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that decides a classifier's answers, and the names of what it speaks of.

    A change of the classifier replaces these values and never changes one.

    Attributes:
        name: What its owner calls the classifier.
        method: A key of ``adapters.heads.HEADS``.
        logit_scale: The backbone's.
        records: All classes by label, in the order of their registration; but for that of
            explicit negatives.
        negatives: The explicit negatives; None where there are none.
        negative_images: They by their ids.
        images: The support images by the ids of ``support``.
        classes: The classes that can be answered.
        support: The support images as a head sees them.
        tuning: What leave-one-out has set.
        joint: Whether the corrected embeddings may be compared with texts, as the frozen ones.
    """

    name: str
    method: str
    logit_scale: float
    records: Mapping[str, ClassRecord]
    negatives: SupportSet | None = None
    negative_images: Mapping[int, SupportRecord] = field(default_factory=dict)
    images: Mapping[int, SupportRecord]
    classes: ClassSet
    support: SupportSet
    tuning: Tuning
    joint: bool
