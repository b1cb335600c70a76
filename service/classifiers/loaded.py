"""The classifiers that are in memory, each loaded by the first who asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from adapters.backbones import Backbone
from service.classifiers.live import LiveClassifier
from service.problems import ClassifierNotFound
from service.storage.store import Store


@dataclass(slots=True)
class Slot:
    """A classifier's place in memory; ``lock`` is held by whoever changes or loads it."""

    lock: Lock = field(default_factory=Lock)
    live: LiveClassifier | None = None


class LoadedClassifiers:
    """Places of classifiers by name. Methods block, and may be called from many threads."""

    def __init__(self, store: Store, backbone: Backbone) -> None:
        self._store = store
        self._backbone = backbone
        self._slots: dict[str, Slot] = {}
        self._slots_lock = Lock()

    def get(self, name: str) -> LiveClassifier:
        """The classifier; costs one read of its embeddings where it is not in memory.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        slot = self._slots.get(name)
        if slot is not None and (live := slot.live) is not None:
            return live
        with self.changing(name) as (_, live):
            return live

    @contextmanager
    def changing(self, name: str) -> Iterator[tuple[Slot, LiveClassifier]]:
        """An existing classifier and its place, held so that nobody else changes it.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        # Unknown names leave no place behind: clients could fill the memory with them.
        if name not in self._slots and self._store.classifier(name) is None:
            raise ClassifierNotFound(name)
        with self.slot(name) as slot:
            live = self.load(slot, name)
            if live is None:
                raise ClassifierNotFound(name)
            yield slot, live

    @contextmanager
    def slot(self, name: str) -> Iterator[Slot]:
        """The place of a classifier that may not exist yet, held as by :meth:`changing`."""
        with self._slots_lock:
            slot = self._slots.setdefault(name, Slot())
        with slot.lock:
            yield slot

    def load(self, slot: Slot, name: str) -> LiveClassifier | None:
        """The classifier of a place that is held; None if there is none of that name."""
        if slot.live is None and (stored := self._store.load(name)) is not None:
            slot.live = LiveClassifier(stored, self._backbone)
        return slot.live


@contextmanager
def evicting(slot: Slot) -> Iterator[None]:
    """Forget the classifier if memory cannot follow the disk; the next request reloads it."""
    try:
        yield
    except BaseException:
        slot.live = None
        raise
