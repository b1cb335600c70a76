"""A classifier in memory, ready to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Tuning
from service.problems import NoClasses
from service.storage.records import (
    ClassifierSettings,
    ClassRecord,
    StoredClassifier,
    SupportRecord,
)


@dataclass(frozen=True, slots=True)
class RankedLabel:
    """A class as a candidate answer, with the two terms of its logit."""

    label: str
    probability: float
    zero_shot: float
    cache: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A support image that resembles the query; cosine similarity as the head sees it."""

    image_id: str
    label: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image: candidates and evidence, best first."""

    top_k: list[RankedLabel]
    evidence: list[Evidence]


class LiveClassifier:
    """The head of a classifier with the names of what it speaks of.

    ``predict`` may be called from many threads while one applies a change: every answer comes
    from the state before it or after it.
    """

    def __init__(self, stored: StoredClassifier, backbone: Backbone) -> None:
        self.id = stored.record.id
        self.name = stored.record.name
        self.settings = stored.record.settings
        self.classes = {record.label: record for record in stored.classes}
        self.support = {record.id: record for record in stored.support}
        self._lock = Lock()
        self.support_set = support_set(stored, backbone)
        self._head = new_head(self.settings, backbone).fit(
            class_set(self.settings, list(self.classes.values()), self.support_set.labels),
            self.support_set,
            stored.record.tuning,
        )

    @property
    def tuning(self) -> Tuning:
        """What the head is set to."""
        return self._head.tuning_

    def predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Prediction]:
        """Answer n queries from one state of the classifier.

        Raises:
            NoClasses: There is no class to choose from.
        """
        with self._lock:
            classes = self._head.classes_
            if len(classes) == 0:
                raise NoClasses(self._nothing_to_choose_from())
            scores = self._head.score(queries)
            probabilities = self._head.probabilities(scores)
            label_of = {record.id: record.label for record in self.classes.values()}
            labels = [label_of[i] for i in classes.ids.tolist()]
            shown = scores.matches.ids[:, :evidence].tolist()
            named = [[self.support[i] for i in row] for row in shown]
        ranked = probabilities.sort(dim=1, descending=True, stable=True)
        answers = []
        for row in range(len(queries)):
            top = [
                RankedLabel(
                    labels[column],
                    probability,
                    scores.zero_shot[row, column].item(),
                    scores.cache[row, column].item(),
                )
                for column, probability in zip(
                    ranked.indices[row, :top_k].tolist(),
                    ranked.values[row, :top_k].tolist(),
                    strict=True,
                )
            ]
            nearest = [
                Evidence(record.public_id, label_of[record.class_id], similarity)
                for record, similarity in zip(
                    named[row], scores.matches.similarities[row].tolist(), strict=False
                )
            ]
            answers.append(Prediction(top, nearest))
        return answers

    def apply(
        self,
        *,
        tuning: Tuning,
        settings: ClassifierSettings,
        classes: list[ClassRecord],
        added: tuple[list[SupportRecord], ImageEmbeddings] | None = None,
        removed: Tensor | None = None,
        head: Head | None = None,
    ) -> None:
        """Take over a change that storage has acknowledged; answers see all of it or nothing.

        Args:
            tuning: The hyperparameters after the change.
            settings: The settings after the change.
            classes: All classes after the change.
            added: New support images with their embeddings.
            removed: Support ids that are gone.
            head: An unfitted head to use from now on, where the settings change.
        """
        support = self.support_set if removed is None else self.support_set.without(removed)
        more: SupportSet | None = None
        if added is not None and added[0]:
            more = SupportSet(
                torch.tensor([record.id for record in added[0]]),
                torch.tensor([record.class_id for record in added[0]]),
                added[1],
            )
            support = support.with_added(more)
        known = class_set(settings, classes, support.labels)
        if head is not None:
            head.fit(known, support, tuning)
        with self._lock:
            if head is not None:
                self._head = head
            else:
                if removed is not None:
                    self._head.remove(removed)
                if more is not None:
                    self._head.add(more)
                self._head.set_classes(known)
                self._head.set_tuning(tuning)
            self.settings = settings
            self.classes = {record.label: record for record in classes}
            self.support_set = support
            if removed is not None:
                gone = set(removed.tolist())
                self.support = {k: v for k, v in self.support.items() if k not in gone}
            if added is not None:
                self.support = self.support | {record.id: record for record in added[0]}

    def _nothing_to_choose_from(self) -> str:
        if self.classes:
            return (
                f"Classifier {self.name!r} has classes but no images, and its class names carry "
                f"no meaning. POST images to /v1/classifiers/{self.name}/classes/LABEL/images."
            )
        return (
            f"Classifier {self.name!r} has no classes yet. POST images to "
            f"/v1/classifiers/{self.name}/classes/LABEL/images, or declare classes by name with "
            f"PUT /v1/classifiers/{self.name}/classes/LABEL."
        )


def new_head(settings: ClassifierSettings, backbone: Backbone) -> Head:
    """Make the head that the settings name."""
    return HEADS[settings.method](backbone.logit_scale)


def class_texts(
    settings: ClassifierSettings, labels: Sequence[str], backbone: Backbone
) -> Sequence[Tensor | None]:
    """The (d,) text embedding of each label; None where names carry no meaning."""
    if not settings.names_carry_meaning or not labels:
        return [None] * len(labels)
    return list(backbone.encode_classes(labels, settings.templates))


def support_set(stored: StoredClassifier, backbone: Backbone) -> SupportSet:
    """The support images of a stored classifier."""
    if not stored.support:
        return SupportSet.empty(backbone.width, backbone.corrected_width)
    return SupportSet(
        torch.tensor([record.id for record in stored.support]),
        torch.tensor([record.class_id for record in stored.support]),
        stored.embeddings,
    )


def class_set(settings: ClassifierSettings, classes: list[ClassRecord], labels: Tensor) -> ClassSet:
    """The classes that can be answered.

    All of them where names carry meaning; otherwise those with at least one support image.
    """
    if settings.names_carry_meaning:
        ids = torch.tensor([record.id for record in classes], dtype=torch.int64)
        texts = [record.text for record in classes if record.text is not None]
        return ClassSet(ids, torch.stack(texts) if texts else None)
    with_images = set(labels.tolist())
    used = [record.id for record in classes if record.id in with_images]
    return ClassSet(torch.tensor(used, dtype=torch.int64), None)
