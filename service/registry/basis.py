"""A basis: one state of a classifier, which a change is made on and a tuning is found for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.embeddings import ClassSet, SupportSet
from adapters.growing_support import GrowingSupport
from service.classifier_settings import ClassifierSettings
from service.problems import ClassNotFound
from service.storage.records import ClassRecord, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One state of a classifier as values, without records of its images; costs nothing to take.

    A change of the classifier replaces these values and never changes one. So whoever makes a
    change on a basis may look at it without a lock: if others change the classifier meanwhile, the
    database refuses what was made for this state.

    Attributes:
        name: The classifier's.
        state: Which state this is.
        settings: Of the classifier.
        records: All classes by label, in the order of their registration.
        classes: The classes that can be answered.
        support: The support images as a head holds them.
        negatives: The explicit negatives, which are not among them.
    """

    name: str
    state: State
    settings: ClassifierSettings
    records: Mapping[str, ClassRecord]
    classes: ClassSet
    support: GrowingSupport
    negatives: SupportSet | None

    @property
    def n_images(self) -> int:
        """Images of classes, and negatives."""
        return len(self.support) + (0 if self.negatives is None else len(self.negatives))

    def find_class(self, label: str) -> ClassRecord:
        """The class of that label.

        Raises:
            ClassNotFound: There is none.
        """
        if (record := self.records.get(label)) is None:
            raise ClassNotFound(self.name, label)
        return record

    def fresh(self, labels: Iterable[str]) -> list[str]:
        """Labels that are no classes yet, each once."""
        return [label for label in dict.fromkeys(labels) if label not in self.records]
