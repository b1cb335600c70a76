"""The way of a change: tuned by leave-one-out if at once, written by storage, applied to memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from adapters.classifier import Tuned
from adapters.embeddings import ClassSet, LabelledEmbeddings, SupportSet
from adapters.encoder import Encoder
from adapters.growing_support import GrowingSupport
from service.classifier_settings import ClassifierSettings
from service.registry.basis import Basis
from service.registry.entry import Entry, committing, committing_to
from service.registry.fitting import class_set, new_classifier
from service.registry.live import LiveClassifier
from service.registry.multi_label import embedded_once
from service.registry.negatives import images_parted, place_of_negatives
from service.registry.tuning_queue import TuningQueue
from service.registry.tuning_time import tuned_at_once
from service.storage.change import Change, Written, renewed_support
from service.storage.query_embeddings import with_queries
from service.storage.records import ClassRecord
from service.storage.store import Store


class ChangeMaker:
    """Makes changes of support sets. Who calls it holds the classifier's single-writer lock.

    Args:
        store: Where they are written.
        backbone: Whose embeddings they hold.
        tunings: Told of classifiers that are to be tuned after their change.
    """

    def __init__(self, store: Store, backbone: Encoder, tunings: TuningQueue) -> None:
        self._store = store
        self._backbone = backbone
        self._tunings = tunings

    def create(self, name: str, change: Change) -> None:
        """Create a classifier: a change of nothing that adds no images.

        Raises:
            Outdated: There is one of that name.
        """
        settings = change.settings or ClassifierSettings()
        nothing = SupportSet.empty(self._backbone.width, self._backbone.corrected_width)
        tuned = self._tune(name, change, settings, [], GrowingSupport.of(nothing), None)
        self._store.create(name, replace(change, settings=settings, tuning=tuned.tuning))

    def make(self, entry: Entry, live: LiveClassifier, basis: Basis, change: Change) -> Written:
        """Change a classifier: on the disk, then in memory.

        Args:
            entry: The classifier's.
            live: What answers.
            basis: The state of it that the change was made on.
            change: Without tuning, which is found here if at once; answers go on from the old
                state meanwhile.

        Returns:
            The change with the identifiers that storage gave.

        Raises:
            Outdated: The classifier in the database is in another state, or gone.
        """
        settings = change.settings or basis.settings
        if settings.multi_label and change.added:
            known = live.embeddings_of({image.sha256 for _, image in change.added})
            change = replace(change, added=embedded_once(change.added, known))
        removed = change.images_removed(basis.support)
        leaving = 0 if removed is None else len(removed)
        if basis.negatives is not None:  # one by one, they are counted already
            of_classes = torch.tensor(change.classes_removed, dtype=torch.int64)
            leaving += int(torch.isin(basis.negatives.labels, of_classes).sum())
        tuned: Tuned | None = None
        if tuned_at_once(
            before=basis.n_images,
            added=len(change.added),
            removed=leaving,
            settings=change.settings is not None,
        ):
            records = list(basis.records.values())
            held = basis.support
            tuned = self._tune(basis.name, change, settings, records, held, basis.negatives)
            change = replace(change, tuning=tuned.tuning)
        if change.fingerprint is not None:  # it is another one in memory, read by who asks next
            with committing_to(entry, None):
                return self._store.write(basis.state, change)
        with committing(entry, live):
            written = self._store.write(basis.state, change)
            live.apply(written, tuned_on=None if tuned is None else tuned.found)
        if written.tuning is None:
            self._tunings.tell(basis.name)
        return written

    def _tune(
        self,
        name: str,
        change: Change,
        settings: ClassifierSettings,
        classes: Sequence[ClassRecord],
        held: GrowingSupport,
        negatives: SupportSet | None,
    ) -> Tuned:
        """What leave-one-out sets on the support set after a change of these classes and images.

        Storage gives identifiers to what is added, and that comes later. Until then classes are
        numbered by their places; the tuning does not depend on their identifiers.
        """
        support = held.compact()
        if negatives is not None:
            support = support.with_added(negatives)
        if (removed := change.images_removed(GrowingSupport.of(support))) is not None:
            support = support.without(removed)
        if change.renewed:
            support = renewed_support(support, change.renewed)
        elif settings.support_views > 1:
            support = with_queries(support, self._store.query_embeddings(name))
        kept = change.classes_kept(classes)
        ids = torch.tensor([record.id for record in kept], dtype=torch.int64)
        columns = ClassSet(ids, None).columns(support.labels)
        images = LabelledEmbeddings(columns, support.embeddings)
        after = [c.label for c in kept] + [c.label for c in change.classes_added]
        if (added := change.embeddings_added()) is not None:
            place = {label: i for i, label in enumerate(after)}
            more = torch.tensor([place[label] for label, _ in change.added])
            images = images.with_added(LabelledEmbeddings(more, added))
        texts = [c.text for c in kept] + [c.text for c in change.classes_added]
        with_images = set(images.labels.tolist())
        mark = place_of_negatives(after)
        images, others = images_parted(images, mark)
        return new_classifier(settings, self._backbone).tuned(
            class_set(settings, dict(enumerate(texts)), with_images, mark),
            images,
            negatives=others,
        )
