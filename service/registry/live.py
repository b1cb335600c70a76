"""A classifier in memory, ready to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.change import Change as HeadChange
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.problems import ClassNotFound, ImageNotFound, NoClasses
from service.registry.fitting import class_set, new_classifier, support_set, usable
from service.registry.predictions import Evidence, Prediction, RankedLabel, too_many_labels
from service.registry.snapshot import Snapshot
from service.storage.change import Written
from service.storage.records import ClassRecord, StoredClassifier, SupportRecord

# Most cells of a table of queries by what they are compared with, classes and images, that are
# computed at a time: some ten tables of four bytes a cell, which is 40 MiB.
_CELLS = 2**20
# Python's objects beside the embeddings: a record, its strings and its places in mappings.
_IMAGE_BYTES = 800
_CLASS_BYTES = 1400


class LiveClassifier:
    """A classifier in memory, with the names of what it speaks of.

    ``predict`` and ``snapshot`` may be called from many threads while one applies a change. They
    and ``apply`` exclude each other by the state lock: every answer comes from the state before a
    change or from the one after it, whole.

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
        self._state_lock = Lock()
        self._backbone = backbone
        self._cache = cache
        support = support_set(stored, backbone)
        self._classifier = new_classifier(self.settings, backbone, cache).fit(
            class_set(
                self.settings, {record.id: record.text for record in stored.classes}, support.labels
            ),
            support,
            usable(stored.record.tuning),
        )
        self._derive()

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

    def find_class(self, label: str) -> ClassRecord:
        """The class of that label.

        Raises:
            ClassNotFound: There is none.
        """
        if (record := self.classes.get(label)) is None:
            raise ClassNotFound(self.name, label)
        return record

    def find_image(self, label: str, image_id: str) -> SupportRecord:
        """A support image of a class by its public id.

        Raises:
            ClassNotFound, ImageNotFound: There is none.
        """
        class_id = self.find_class(label).id
        for record in self.support.values():
            if record.public_id == image_id and record.class_id == class_id:
                return record
        raise ImageNotFound(
            f"Class {label!r} of classifier {self.name!r} has no image {image_id!r}. "
            f"GET /v1/classifiers/{self.name}/classes/{label} lists those it has."
        )

    def snapshot(self) -> Snapshot:
        """The present state, whole; later changes leave it as it is."""
        with self._state_lock:
            return Snapshot(
                name=self.name,
                method=self._classifier.method,
                logit_scale=self._classifier.logit_scale,
                records=self.classes,
                images=self.support,
                classes=self._classifier.classes,
                support=self._classifier.support,
                tuning=self._classifier.tuning,
                joint=self._backbone.correction.joint,
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
        with self._state_lock:
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

    def apply(self, written: Written) -> None:
        """Take over a change that storage has acknowledged; answers see all of it or nothing.

        Only who holds the classifier's single-writer lock may call this.
        """
        settings = written.settings or self.settings
        classes = written.classes_after(self.classes.values())
        of_images = HeadChange(
            added=written.added(), removed=written.images_removed(self.support_set)
        )
        labels = _labels_after(self.support_set, of_images)
        known = class_set(settings, {record.id: record.text for record in classes}, labels)
        refitted: FewShotClassifier | None = None
        if written.settings is not None:
            refitted = new_classifier(settings, self._backbone, self._cache).fit(
                known, of_images.applied_to(self.support_set), written.tuning
            )
        records = self.support
        if of_images.removed is not None:
            gone = set(of_images.removed.tolist())
            records = {i: record for i, record in records.items() if i not in gone}
        if written.support:
            records = {**records, **{record.id: record for record in written.support}}
        with self._state_lock:
            if refitted is not None:
                self._classifier = refitted
            else:
                self._classifier.update(replace(of_images, classes=known, tuning=written.tuning))
            self.settings = settings
            self.state = self.state._replace(revision=written.revision)
            self.classes = {record.label: record for record in classes}
            self.support = records
            self._derive()

    def _derive(self) -> None:
        """Compute what depends on the state alone."""
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


def _labels_after(support: SupportSet, change: HeadChange) -> Tensor:
    """(n,) class ids of the support images after a change; cheaper than the whole set."""
    labels = support.labels
    if change.removed is not None:
        labels = labels[~torch.isin(support.ids, change.removed)]
    if change.added is not None:
        labels = torch.cat([labels, change.added.labels])
    return labels
