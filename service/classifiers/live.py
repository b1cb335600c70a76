"""A classifier in memory, ready to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.classifiers.snapshot import Snapshot
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
    """

    def __init__(self, stored: StoredClassifier, backbone: Backbone) -> None:
        self.id = stored.record.id
        self.name = stored.record.name
        self.settings = stored.record.settings
        self.classes = {record.label: record for record in stored.classes}
        self.support = {record.id: record for record in stored.support}
        self._lock = Lock()
        self._joint = backbone.correction.joint
        support = support_set(stored, backbone)
        self._classifier = new_classifier(self.settings, backbone).fit(
            class_set(self.settings, list(self.classes.values()), support.labels),
            support,
            _usable(stored.record.tuning),
        )

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

    def predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Prediction]:
        """Answer n queries from one state of the classifier.

        Raises:
            NoClasses: There is no class to choose from.
        """
        with self._lock:
            classes = self._classifier.classes
            if len(classes) == 0:
                raise NoClasses(self._nothing_to_choose_from())
            answers = self._classifier.answer(queries, evidence)
            label_of = {record.id: record.label for record in self.classes.values()}
            labels = [label_of[i] for i in classes.ids.tolist()]
            named = [[self.support[i] for i in row] for row in answers.scores.matches.ids.tolist()]
        scores = answers.scores
        ranked = answers.probabilities.sort(dim=1, descending=True, stable=True)
        sets = answers.prediction_sets
        predictions = []
        for row in range(len(queries)):
            columns = ranked.indices[row].tolist()
            top = [
                RankedLabel(
                    labels[column],
                    probability,
                    scores.zero_shot[row, column].item(),
                    scores.cache[row, column].item(),
                )
                for column, probability in zip(
                    columns[:top_k], ranked.values[row, :top_k].tolist(), strict=True
                )
            ]
            nearest = [
                Evidence(record.public_id, label_of[record.class_id], similarity)
                for record, similarity in zip(
                    named[row], scores.matches.similarities[row].tolist(), strict=True
                )
            ]
            held = None
            if sets is not None:
                held = [labels[column] for column in columns if sets[row, column]]
            predictions.append(Prediction(top, nearest, bool(answers.known[row]), held))
        return predictions

    def apply(
        self,
        *,
        tuning: Tuning,
        settings: ClassifierSettings,
        classes: list[ClassRecord],
        added: tuple[list[SupportRecord], ImageEmbeddings] | None = None,
        removed: Tensor | None = None,
        classifier: FewShotClassifier | None = None,
    ) -> None:
        """Take over a change that storage has acknowledged; answers see all of it or nothing.

        Args:
            tuning: The hyperparameters after the change.
            settings: The settings after the change.
            classes: All classes after the change.
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
                    classes=class_set(settings, classes, labels),
                    tuning=tuning,
                    added=more,
                    removed=removed,
                )
            self.settings = settings
            self.classes = {record.label: record for record in classes}
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


def _usable(tuning: Tuning) -> Tuning | None:
    """The stored tuning; None if a version of Handful wrote it that knew no thresholds yet."""
    return tuning if tuning.votes == 0 or tuning.loss is not None else None


def new_classifier(settings: ClassifierSettings, backbone: Backbone) -> FewShotClassifier:
    """Make the classifier that the settings ask for; it is not fitted yet."""
    return FewShotClassifier(
        settings.method,
        backbone.logit_scale,
        false_rejection_rate=settings.false_rejection_rate,
        coverage=settings.coverage,
    )


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
