"""A classifier in memory, ready to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.problems import AnswerTooLarge, NoClasses
from service.registry.fitting import class_set, new_classifier, support_set, usable
from service.registry.snapshot import Snapshot
from service.storage.records import (
    ClassifierSettings,
    ClassRecord,
    StoredClassifier,
    SupportRecord,
)

# Most cells of a table of queries by what they are compared with, classes and images, that are
# computed at a time: some ten tables of four bytes a cell, which is 40 MiB.
_CELLS = 2**20
# Python's objects beside the embeddings: a record, its strings and its places in mappings.
_IMAGE_BYTES = 800
_CLASS_BYTES = 1400


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
    """The answer for one image: candidates and evidence, best first.

    Attributes:
        top_k: The most probable classes.
        evidence: The nearest support images.
        known: Whether the image belongs to any of the classes.
        prediction_set: Classes that hold the right one as often as was asked; None where no
            coverage was asked for.
    """

    top_k: list[RankedLabel]
    evidence: list[Evidence]
    known: bool
    prediction_set: list[str] | None


class LiveClassifier:
    """A classifier with the names of what it speaks of.

    ``predict`` may be called from many threads while one applies a change: every answer comes
    from the state before it or after it.

    Attributes:
        state: Which one of the classifier's states in the database this is.
        block: Queries that are computed at a time; more take no more memory, but for their answers.
        nbytes: What it takes in memory.
    """

    def __init__(
        self,
        stored: StoredClassifier,
        backbone: Backbone,
        cache: CacheSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.state = stored.record.state
        self.name = stored.record.name
        self.settings = stored.record.settings
        self.classes: Mapping[str, ClassRecord] = {r.label: r for r in stored.classes}
        self.support: Mapping[int, SupportRecord] = {r.id: r for r in stored.support}
        self._lock = Lock()
        self._joint = backbone.correction.joint
        support = support_set(stored, backbone)
        self._classifier = new_classifier(self.settings, backbone, cache).fit(
            class_set(self.settings, list(self.classes.values()), support.labels),
            support,
            usable(stored.record.tuning),
        )
        self._settle()

    @property
    def id(self) -> int:
        """The classifier's in the database."""
        return self.state.id

    @property
    def tuning(self) -> Tuning:
        """What leave-one-out has set."""
        return self._classifier.tuning

    @property
    def support_set(self) -> SupportSet:
        """The support images as the classifier sees them."""
        return self._classifier.support

    def snapshot(self) -> Snapshot:
        """The present state, whole; later changes leave it as it is."""
        with self._lock:
            return Snapshot(
                self.name,
                self._classifier.method,
                self._classifier.logit_scale,
                self.classes,
                self.support,
                self._classifier.classes,
                self._classifier.support,
                self._classifier.tuning,
                self._joint,
            )

    def predict(
        self,
        queries: ImageEmbeddings,
        top_k: int,
        evidence: int,
        most_labels: int | None = None,
    ) -> list[Prediction]:
        """Answer n queries from one state of the classifier.

        Args:
            queries: Their embeddings.
            top_k: Most candidates of each.
            evidence: Most support images named for each.
            most_labels: Most labels in the prediction sets of all of them together.

        Raises:
            NoClasses: There is no class to choose from.
            AnswerTooLarge: There are more labels in the prediction sets.
        """
        with self._lock:
            if not self._labels:
                raise NoClasses(self._nothing_to_choose_from())
            predictions: list[Prediction] = []
            labels = 0
            for start in range(0, len(queries), self.block):
                block = self._predict(queries[start : start + self.block], top_k, evidence)
                predictions += block
                labels += sum(len(one.prediction_set or ()) for one in block)
                if most_labels is not None and labels > most_labels:
                    raise too_many_labels(len(queries), most_labels)
        return predictions

    def _predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Prediction]:
        labels, label_of, support = self._labels, self._label_of, self.support
        with torch.inference_mode():
            answers = self._classifier.answer(queries, evidence)
        scores, sets = answers.scores, answers.prediction_sets
        ranked = answers.probabilities.sort(dim=1, descending=True, stable=True)
        first = ranked.indices[:, :top_k]
        top = zip(
            first.tolist(),
            ranked.values[:, :top_k].tolist(),
            scores.zero_shot.gather(1, first).tolist(),
            scores.cache.gather(1, first).tolist(),
            strict=True,
        )
        nearest = zip(
            scores.matches.ids.tolist(), scores.matches.similarities.tolist(), strict=True
        )
        known = answers.known.tolist()
        held: list[list[str]] | list[None] = [None] * len(queries)
        if sets is not None:
            held = [
                [labels[column] for column in columns[inside].tolist()]
                for columns, inside in zip(
                    ranked.indices, sets.gather(1, ranked.indices), strict=True
                )
            ]
        return [
            Prediction(
                [
                    RankedLabel(labels[column], *terms)
                    for column, *terms in zip(*ranking, strict=True)
                ],
                [
                    Evidence(support[i].public_id, label_of[support[i].class_id], similarity)
                    for i, similarity in zip(*matches, strict=True)
                ],
                is_known,
                labels_held,
            )
            for ranking, matches, is_known, labels_held in zip(
                top, nearest, known, held, strict=True
            )
        ]

    def apply(
        self,
        *,
        tuning: Tuning,
        settings: ClassifierSettings,
        classes: list[ClassRecord],
        revision: int,
        added: tuple[list[SupportRecord], ImageEmbeddings] | None = None,
        removed: Tensor | None = None,
        classifier: FewShotClassifier | None = None,
    ) -> None:
        """Take over a change that storage has acknowledged; answers see all of it or nothing.

        Args:
            tuning: The hyperparameters after the change.
            settings: The settings after the change.
            classes: All classes after the change.
            revision: The one after the change.
            added: New support images with their embeddings.
            removed: Support ids that are gone.
            classifier: One that is fitted already, to use from now on: where the settings
                change.
        """
        more: SupportSet | None = None
        if added is not None and added[0]:
            more = SupportSet(
                torch.tensor([record.id for record in added[0]]),
                torch.tensor([record.class_id for record in added[0]]),
                added[1],
            )
        labels = self.support_set.labels
        if removed is not None:
            labels = labels[~torch.isin(self.support_set.ids, removed)]
        if more is not None:
            labels = torch.cat([labels, more.labels])
        with self._lock:
            if classifier is not None:
                self._classifier = classifier
            else:
                self._classifier.update(
                    Change(
                        classes=class_set(settings, classes, labels),
                        tuning=tuning,
                        added=more,
                        removed=removed,
                    )
                )
            self.settings = settings
            self.state = self.state._replace(revision=revision)
            self.classes = {record.label: record for record in classes}
            if removed is not None:
                gone = set(removed.tolist())
                self.support = {k: v for k, v in self.support.items() if k not in gone}
            if added is not None:
                self.support = {**self.support, **{record.id: record for record in added[0]}}
            self._settle()

    def _settle(self) -> None:
        """Bring what depends on the state alone up to date with it."""
        self._label_of = {record.id: record.label for record in self.classes.values()}
        self._labels = [self._label_of[i] for i in self._classifier.classes.ids.tolist()]
        width = len(self._labels) + len(self.support)
        self.block = max(1, _CELLS // max(1, width))
        self.nbytes = (
            self._classifier.nbytes
            + _CLASS_BYTES * len(self.classes)
            + _IMAGE_BYTES * len(self.support)
        )

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


def too_many_labels(images: int, most: int) -> AnswerTooLarge:
    """The refusal of an answer whose prediction sets hold more labels than that together."""
    return AnswerTooLarge(
        f"The prediction sets of {images} images would hold more than {most} labels together. Send "
        "fewer images in a request, or ask for a lower coverage (PUT the classifier with another)."
    )
