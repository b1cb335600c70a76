"""Changes a classifier over to another recipe of the same backbone, beside its queries and changes.

Its classes keep their text embeddings: a recipe is of images. Its images have embeddings in both
recipes by then (:mod:`service.storage.recipe_move`).
"""

from __future__ import annotations

from dataclasses import replace

from adapters.cache import CacheSettings
from adapters.encoder import Encoder
from adapters.heads import Tuning
from adapters.rest import Rest
from service.problems import OtherBackbone
from service.registry.entry import committing_to
from service.registry.fitting import check_fits, class_set, new_classifier, support_set
from service.registry.live import LiveClassifier
from service.registry.lru import LoadedClassifiers
from service.registry.negatives import id_of_negatives, parted
from service.registry.tuning_queue import TuningQueue
from service.registry.tuning_time import tuned_at_once
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.query_embeddings import with_queries
from service.storage.records import StoredClassifier
from service.storage.store import Store


class ChangingOver:
    """Changes classifiers over, one call each; the caller holds no lock.

    The tuning on the new embeddings is found without a lock. Under the single-writer lock the
    classifier is read again, and written as one of the new recipe; then it takes its place in
    memory. Images that came or went between make the tuning stale, as changes do.

    Args:
        store: Of the classifiers.
        encoder: Whose embeddings they hold; widths are the same in all of its recipes.
        loaded: The classifiers in memory.
        cache: How they keep their support images.
        tunings: Told of those that are to be tuned afterwards.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        loaded: LoadedClassifiers,
        cache: CacheSettings,
        tunings: TuningQueue,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._loaded = loaded
        self._cache = cache
        self._tunings = tunings

    def __call__(self, moves: MovedEmbeddings, name: str, target: str, rest: Rest) -> bool:
        """Change a classifier over to the recipe of a fingerprint.

        Args:
            moves: New embeddings of the database.
            name: The classifier's.
            target: The fingerprint.
            rest: Called every few milliseconds of the tuning; may raise.

        Returns:
            Whether it is done, or the classifier gone; otherwise images of it are to be embedded
            first.

        Raises:
            Outdated: Another process changed it meanwhile.
            ClassifierDamaged: Something in it cannot be read.
        """
        try:
            stored = moves.load(name, target)
            if stored is None or stored.record.fingerprint == target:
                return True
            tuning = self._tuned(stored, target, rest)
            with self._loaded.writing(name) as entry:
                latest, behind = moves.load(name, target), None
                if latest is None or latest.record.fingerprint == target:
                    return True
                if latest.record.state != stored.record.state:
                    if _is_cheap(latest) or _is_another(latest, stored):
                        tuning = self._tuned(latest, target, rest)
                    elif _parts(latest) != _parts(stored):
                        behind = len(_images(latest) ^ _images(stored))
                live = None
                if entry.live is not None:
                    live = self._live(latest, target, tuning, is_current=behind is None)
                with committing_to(entry, live):
                    moves.change_over(latest.record.state, target, tuning, behind)
        except OtherBackbone:
            return False
        if behind is not None:
            self._tunings.tell(name)
        return True

    def _tuned(self, stored: StoredClassifier, target: str, rest: Rest) -> Tuning:
        settings = stored.record.settings
        records = {record.label: record for record in stored.classes}
        mark = id_of_negatives(records)
        every = support_set(stored, self._encoder)
        if settings.support_views > 1:
            every = with_queries(every, self._store.query_embeddings(stored.record.name, target))
        support, negatives = parted(every, mark)
        texts = {record.id: record.text for record in stored.classes}
        return new_classifier(settings, self._encoder).tune(
            class_set(settings, texts, set(every.labels.tolist()), mark),
            support.labelled,
            negatives=negatives,
            rest=rest,
        )

    def _live(
        self, stored: StoredClassifier, target: str, tuning: Tuning, *, is_current: bool
    ) -> LiveClassifier:
        """What will be in the database, in memory."""
        check_fits(stored, self._encoder)
        record = stored.record
        after = replace(
            record,
            revision=record.revision + 1,
            fingerprint=target,
            tuning=tuning,
            tuning_state=replace(record.tuning_state, is_current=is_current),
        )
        return LiveClassifier(replace(stored, record=after), self._encoder, self._cache)


def _images(stored: StoredClassifier) -> set[int]:
    return {record.id for record in stored.support}


def _parts(stored: StoredClassifier) -> tuple[set[int], set[int]]:
    """What a tuning is of, under given settings."""
    return {record.id for record in stored.classes}, _images(stored)


def _is_cheap(stored: StoredClassifier) -> bool:
    return tuned_at_once(before=len(stored.support) + 1, added=0, removed=1, settings=False)


def _is_another(stored: StoredClassifier, before: StoredClassifier) -> bool:
    """Whether a tuning of one says nothing of the other."""
    return stored.record.settings != before.record.settings
