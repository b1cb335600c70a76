"""A classifier in memory, ready to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from threading import Lock
from time import perf_counter

import torch
from prometheus_client import Histogram
from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.classifier import FewShotClassifier, Prepared
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Encoder
from adapters.familiarity import Fitting
from adapters.heads import Tuning
from adapters.multi_label import LeftOutImages, MultiLabelClassifier
from adapters.rest import Rest
from service.classifier_settings import ClassifierSettings
from service.name_validation import NOT_THESE
from service.problems import SingleLabels
from service.registry.basis import Basis
from service.registry.fitting import class_set, new_classifier, support_set, usable
from service.registry.negatives import id_of_negatives, parted
from service.registry.predictions import (
    Prediction,
    named,
    nothing_to_choose_from,
    too_many_labels,
)
from service.registry.query_window import QueryWindow
from service.registry.snapshot import Snapshot
from service.registry.taken_over import TakenOver, texts_of
from service.storage.change import Written, renewed_support
from service.storage.query_embeddings import in_order
from service.storage.records import ClassRecord, StoredClassifier, SupportRecord
from service.tenancy import bare

CLASSIFY_SECONDS = Histogram(
    "handful_classify_seconds",
    "Duration of answering queries whose embeddings are there, with the wait for the classifier.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)

# Most cells of a table of queries by what they are compared with, classes and images, that are
# computed at a time: some ten tables of four bytes a cell, which is 40 MiB.
_CELLS = 2**20
# Python's objects beside the embeddings: a record, its strings and its places in mappings.
_IMAGE_BYTES = 800
_CLASS_BYTES = 1400


class LiveClassifier:
    """A classifier in memory, with the names of what it speaks of.

    ``predict``, ``basis`` and ``snapshot`` may be called from many threads while one applies a
    change. They and ``apply`` exclude each other by the state lock: every answer comes from the
    state before a change or from the one after it, whole. What is costly about a change is
    computed before that lock is taken.

    Attributes:
        state: Which one of the classifier's states in the database this is.
        classes: All classes by label, in the order of their registration.
        support: Support images by their ids; changed in place, under the state lock.
        tuning_is_current: Whether the database has a tuning for the support set as it is.
        postponed: The tuning of the database, where answers still go by an older one.
        block: Queries that are computed at a time; more take no more memory, but for their answers.
        nbytes: What it takes in memory.
        window: The recent queries, by the tuning that answers now; who has answered one adds it.
    """

    def __init__(
        self,
        stored: StoredClassifier,
        backbone: Encoder,
        cache: CacheSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.state = stored.record.state
        self.name = stored.record.name
        self.settings = stored.record.settings
        self.classes: Mapping[str, ClassRecord] = {r.label: r for r in stored.classes}
        self.support: dict[int, SupportRecord] = {r.id: r for r in stored.support}
        self.tuning_is_current = stored.record.tuning_state.is_current
        self.postponed: Tuning | None = None
        self._images_of = Counter(record.class_id for record in stored.support)
        self._state_lock = Lock()
        self._backbone = backbone
        self._cache = cache
        mark = id_of_negatives(self.classes)
        support, negatives = parted(support_set(stored, backbone), mark)
        tuning = usable(self.settings, stored.record.tuning)
        self.tuning_is_current &= tuning is not None  # another version's is made anew, and kept
        self._classifier = self._new_classifier(self.settings).fit(
            class_set(self.settings, texts_of(self.classes), self._images_of, mark),
            support,
            tuning,
            negatives=negatives,
        )
        self._name_classes()
        self._measure()
        self._look_anew()

    @property
    def id(self) -> int:
        """The classifier's in the database."""
        return self.state.id

    @property
    def fingerprint(self) -> str:
        """Of the recipe that it is of, and that queries are to be embedded in; it never changes.

        A classifier that moves to another recipe is another one in memory.
        """
        return self.state.fingerprint

    @property
    def tuning(self) -> Tuning:
        """What leave-one-out has set."""
        return self._classifier.tuning

    def basis(self) -> Basis:
        """The present state, for a change or a tuning; copies nothing."""
        with self._state_lock:
            return Basis(
                name=self.name,
                state=self.state,
                settings=self.settings,
                records=self.classes,
                classes=self._classifier.classes,
                support=self._classifier.held,
                negatives=self._classifier.negatives,
            )

    def records(self) -> tuple[Mapping[str, ClassRecord], Mapping[int, SupportRecord]]:
        """All classes by label and all images by id, of one state; copies a reference an image."""
        with self._state_lock:
            return self.classes, self.support.copy()

    def embeddings_of(self, contents: Collection[str]) -> dict[str, ImageEmbeddings]:
        """Embeddings, a row each, of those images that it has, by their SHA-256; O(images)."""
        wanted = set(contents)
        with self._state_lock:
            found = {r.sha256: i for i, r in self.support.items() if r.sha256 in wanted}
            held, negatives = self._classifier.held, self._classifier.negatives
        rows = {}
        for sha256, i in found.items():
            id_of = torch.tensor([i])
            if negatives is not None and bool((negatives.ids == i).any()):
                rows[sha256] = negatives[negatives.ids == i].embeddings
            else:
                rows[sha256] = held.rows(held.find(id_of)).embeddings
        return rows

    def left_out_images(self) -> tuple[LeftOutImages, list[str]]:
        """What images that may have several labels say of each other, and the labels that can be.

        Raises:
            SingleLabels: Each has one.
        """
        with self._state_lock:
            classifier, labels = self._classifier, self._labels
            head = classifier.head_
        if not isinstance(classifier, MultiLabelClassifier):
            raise SingleLabels(
                f"Each image of classifier {bare(self.name)!r} has one label: GET .../report."
            )
        return head.left_out_images(), list(labels)  # type: ignore[attr-defined]

    def snapshot(self) -> Snapshot:
        """The present state, whole; later changes leave it as it is."""
        with self._state_lock:
            classifier, held = self._classifier, self._classifier.held
            records, images = self.classes, self.support.copy()
            classes, tuning = classifier.classes, classifier.tuning
            negatives = classifier.negatives
        others = {}
        if negatives is not None:
            others = {i: images.pop(i) for i in negatives.ids.tolist()}
        return Snapshot(
            name=bare(self.name),
            method=classifier.method,
            logit_scale=classifier.logit_scale,
            records={label: one for label, one in records.items() if label != NOT_THESE},
            negatives=negatives,
            negative_images=others,
            images=images,
            classes=classes,
            support=held.compact(),
            tuning=tuning,
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
        begun = perf_counter()
        with self._state_lock:
            if not self._labels:
                raise nothing_to_choose_from(self.name, self.classes)
            predictions: list[Prediction] = []
            labels = 0
            for start in range(0, len(queries), self.block):
                block = self._predict(queries[start : start + self.block], top_k, evidence)
                predictions += block
                labels += sum(len(one.prediction_set or ()) for one in block)
                if most_labels is not None and labels > most_labels:
                    raise too_many_labels(len(queries), most_labels)
        CLASSIFY_SECONDS.observe(perf_counter() - begun)
        return predictions

    def _predict(self, queries: ImageEmbeddings, top_k: int, evidence: int) -> list[Prediction]:
        with torch.inference_mode():
            answers = self._classifier.answer(queries, evidence)
        return named(answers, top_k, self._labels, self.support, self._label_of)

    def apply(
        self,
        written: Written,
        prepared: Prepared | None = None,
        *,
        tuned_on: Fitting | None = None,
        may_postpone: bool = False,
    ) -> None:
        """Take over what was written after this state; answers see all of it or nothing.

        Costs what the change does. Only who holds the commit gate of the classifier's entry may
        call this: one at a time, and in the order of the revisions.

        Args:
            written: What was written, by this process or by others.
            prepared: What :meth:`retuned` has made of this state, if that was written.
            tuned_on: What the tuning that was written has found of the images, from who tuned it.
            may_postpone: Whether answers may go on by the old tuning where fitting to another one,
                which costs what the whole classifier does, costs far more than all that came with
                it; :meth:`refitted` is for later then.
        """
        taken = TakenOver.of(
            written,
            self._classifier,
            self.settings,
            self.classes,
            self.support,
            self._images_of,
            may_postpone=may_postpone,
        )
        change, refitted = taken.of_head, None
        if written.settings is not None:
            refitted = self._with_other_settings(written, taken)
        elif prepared is None:
            prepared = self._classifier.prepare(change, tuned_on)
        with self._state_lock:
            if refitted is not None:
                self._classifier = refitted
            elif prepared is not None:
                self._classifier.apply(prepared)
            self.settings = taken.settings
            self.state = self.state._replace(
                revision=written.revision, content_revision=written.content_revision
            )
            self.tuning_is_current = written.tuning_is_current
            if written.tuning is not None:
                self.postponed = written.tuning if taken.postponed else None
            for i in taken.removed:
                del self.support[i]
            self.support.update((record.id, record) for record in written.support)
            self._images_of.update(taken.come)
            self._images_of.subtract(taken.gone)
            if taken.records is not None:
                self.classes = taken.records
            if taken.classes is not None:
                self._name_classes()
            self._measure()
            if change.tuning is not None or refitted is not None:
                self._look_anew()

    def renumber(self, written: Written) -> None:
        """Take over a change that left all as it is but the revision; as :meth:`apply`."""
        with self._state_lock:
            self.state = self.state._replace(
                revision=written.revision, content_revision=written.content_revision
            )

    def _with_other_settings(self, written: Written, taken: TakenOver) -> FewShotClassifier:
        """Another classifier of the support set after a change that brings settings."""
        before, change = self._classifier, taken.of_head
        return self._new_classifier(taken.settings).fit(
            before.classes if change.classes is None else change.classes,
            renewed_support(before.held.changed(change).compact(), written.renewed),
            change.tuning,
            negatives=before.negatives if change.negatives is None else change.negatives,
        )

    def retuned(
        self, basis: Basis, rest: Rest, as_queries: Mapping[int, Tensor] | None = None
    ) -> Prepared:
        """A full tuning of that state, for :meth:`apply`; blocks nobody.

        Args:
            basis: The state.
            rest: Called every few milliseconds.
            as_queries: What its support images are as queries, by their ids, where it holds
                averages of their views.
        """
        rows = None
        if as_queries is not None:
            ids, width = basis.support.present_ids(), self._backbone.corrected_width
            rows = in_order(ids, as_queries, width)
        return self._classifier.retuned(
            basis.classes, basis.support, rest, negatives=basis.negatives, as_queries=rows
        )

    def refitted(self, basis: Basis) -> FewShotClassifier | None:
        """What the tuning that was postponed makes of that state, for :meth:`replace`."""
        if (tuning := self.postponed) is None:
            return None
        return self._new_classifier(basis.settings).fit(
            basis.classes, basis.support.compact(), tuning, negatives=basis.negatives
        )

    def replace(self, refitted: FewShotClassifier) -> None:
        """Answer by the tuning that was postponed; only under the commit gate, as :meth:`apply`."""
        with self._state_lock:
            self._classifier = refitted
            self.postponed = None
            self._measure()
            self._look_anew()

    def _new_classifier(self, settings: ClassifierSettings) -> FewShotClassifier:
        return new_classifier(settings, self._backbone, self._cache)

    def _name_classes(self) -> None:
        """Compute what depends on the classes alone."""
        self._label_of = {record.id: record.label for record in self.classes.values()}
        self._labels = [self._label_of[i] for i in self._classifier.classes.ids.tolist()]

    def _look_anew(self) -> None:
        """Forget the recent queries, whose p-values another tuning gave."""
        scores = self._classifier.tuning.left_out_scores
        judging = sum(self._images_of[i] > 1 for i in self._classifier.classes.ids.tolist())
        self.window = QueryWindow(0 if scores is None else scores.count, judging)

    def _measure(self) -> None:
        """Compute what depends on how much there is; costs some ten microseconds."""
        width = len(self._labels) + len(self.support)
        self.block = max(1, _CELLS // max(1, width))
        self.nbytes = (
            self._classifier.nbytes
            + _CLASS_BYTES * len(self.classes)
            + _IMAGE_BYTES * len(self.support)
        )
