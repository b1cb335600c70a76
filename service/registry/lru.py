"""The classifiers that are in memory, as many as fit; each is loaded by the first who asks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from prometheus_client import Counter, Gauge, Histogram

from adapters.backbones import Backbone
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from service.problems import (
    ClassifierDamaged,
    ClassifierNotFound,
    StorageFull,
    StorageUnavailable,
)
from service.registry.fitting import check_fits
from service.registry.live import LiveClassifier
from service.storage.errors import Damaged
from service.storage.records import StoredClassifier
from service.storage.store import Store

logger = logging.getLogger("handful")

LOADED = Gauge("handful_classifiers_loaded", "Classifiers in memory.", multiprocess_mode="livesum")
LOADED_BYTES = Gauge(
    "handful_classifiers_bytes",
    "What the classifiers in memory take.",
    multiprocess_mode="livesum",
)
LOAD_SECONDS = Histogram(
    "handful_classifier_load_seconds",
    "Time to read a classifier from the database and fit it.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5),
)
UNLOADED = Counter("handful_classifiers_unloaded_total", "Classifiers dropped for others' sake.")


# Seconds that a query waits for this process to take over what it has written; then it reads it.
_FOLLOWING = 1.0


@dataclass(slots=True)
class Slot:
    """A classifier's place in memory.

    Attributes:
        changing: Held by whoever changes the classifier.
        following: Held while a change is written and memory follows it.
        loading: Held while it is read from the database; not while a change is tuned, so that who
            only asks does not wait for somebody's images.
        live: The classifier; None while it is not in memory.
        users: How many threads hold or await these locks. Only a place without any may be given
            up: with two places there could be two classifiers of one name.
        nbytes: What ``live`` took when it was last counted.
    """

    changing: Lock = field(default_factory=Lock)
    following: Lock = field(default_factory=Lock)
    loading: Lock = field(default_factory=Lock)
    live: LiveClassifier | None = None
    users: int = 0
    nbytes: int = 0


class LoadedClassifiers:
    """Places of classifiers by name. Methods block, and may be called from many threads.

    All that is acknowledged is in the database, so any classifier that nobody changes may be
    dropped at any time. Whoever still asks a dropped one gets answers from the state in which
    the request found it.

    Args:
        store: Where classifiers are read from.
        backbone: Whose embeddings they hold.
        max_bytes: What all of them may take together. Beyond it the least recently used are
            dropped; the one used last stays, whatever it takes.
        alone: Whether nobody else changes the database. Otherwise each use of a classifier asks
            the database, at the cost of one row, whether the one in memory is the latest.
        cache: How they keep their support images.
    """

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        max_bytes: int,
        *,
        alone: bool = True,
        cache: CacheSettings = DEFAULT_SETTINGS,
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._max_bytes = max_bytes
        self._alone = alone
        self._cache = cache
        self._slots: OrderedDict[str, Slot] = OrderedDict()  # the least recently used first
        self._bytes = 0
        self._lock = Lock()  # of the two above, and of users and nbytes of the places

    def get(self, name: str) -> LiveClassifier:
        """The latest state of a classifier; costs a read of its embeddings if not in memory.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        if (live := self.in_memory(name)) is not None:
            return live
        with self._used(name) as slot:
            return self._existing(slot, name)

    def in_memory(self, name: str) -> LiveClassifier | None:
        """The classifier if it is in memory and surely the latest; costs microseconds."""
        if not self._alone:
            return None
        with self._lock:
            slot = self._slots.get(name)
            if slot is None or slot.live is None:
                return None
            self._slots.move_to_end(name)
            return slot.live

    @contextmanager
    def changing(self, name: str) -> Iterator[tuple[Slot, LiveClassifier]]:
        """An existing classifier and its place, held so that nobody else changes it.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        with self.slot(name) as slot:
            yield slot, self._existing(slot, name)

    @contextmanager
    def slot(self, name: str) -> Iterator[Slot]:
        """The place of a classifier that may not exist yet, held as by :meth:`changing`."""
        with self._used(name) as slot, slot.changing:
            yield slot

    def load(self, slot: Slot, name: str) -> LiveClassifier | None:
        """The classifier of a place in use; None if there is none of that name."""
        if (live := self._latest(slot, slot.live)) is not None:
            return live
        with slot.loading:
            if (live := self._latest(slot, slot.live)) is not None:  # somebody has loaded it
                return live
            with LOAD_SECONDS.time():
                stored = self._store.load(name)
                live = None if stored is None else _ready(stored, self._backbone, self._cache)
            slot.live = live
            return live

    def _latest(self, slot: Slot, live: LiveClassifier | None) -> LiveClassifier | None:
        """The classifier if it is in the state of the database, or in one that came since."""
        if live is None or self._alone:
            return live
        state = self._store.state(live.name)
        if state is None:
            return None
        # Memory is perhaps about to follow a change of this process.
        if not live.state.includes(state) and slot.following.acquire(timeout=_FOLLOWING):
            slot.following.release()
        return live if live.state.includes(state) else None

    def _existing(self, slot: Slot, name: str) -> LiveClassifier:
        if (live := self.load(slot, name)) is None:
            raise ClassifierNotFound(name)
        return live

    @contextmanager
    def _used(self, name: str) -> Iterator[Slot]:
        """The place of that name, which stays as long as this lasts."""
        with self._lock:
            slot = self._slots.setdefault(name, Slot())
            slot.users += 1
        try:
            yield slot
        finally:
            with self._lock:
                slot.users -= 1
                self._settle(name, slot)

    def _settle(self, name: str, slot: Slot) -> None:
        """Count a place anew after its use, and drop what is too much."""
        self._bytes -= slot.nbytes
        live = slot.live
        slot.nbytes = 0 if live is None else live.nbytes
        self._bytes += slot.nbytes
        self._slots.move_to_end(name)
        if live is None and slot.users == 0:
            del self._slots[name]  # clients could fill the memory with names of nothing
        last = next(reversed(self._slots), None)  # another, if this place was given up just now
        unused = []
        for other, candidate in self._slots.items():
            if self._bytes <= self._max_bytes or other == last:
                break
            if candidate.users == 0:
                unused.append(other)
                self._bytes -= candidate.nbytes
        for other in unused:
            del self._slots[other]
        UNLOADED.inc(len(unused))
        LOADED.set(len(self._slots))
        LOADED_BYTES.set(self._bytes)


def _ready(stored: StoredClassifier, backbone: Backbone, cache: CacheSettings) -> LiveClassifier:
    """The classifier that was read, fitted.

    Raises:
        ClassifierDamaged: What was read fits neither itself nor the backbone.
    """
    name = stored.record.name
    try:
        check_fits(stored, backbone)
        return LiveClassifier(stored, backbone, cache)
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # Nothing but the rows went into it. The log has what a defect of ours would need.
        logger.exception("classifier %r cannot be fitted", name)
        raise ClassifierDamaged(name, "its head cannot be fitted with its tuning") from error


@contextmanager
def following(slot: Slot, live: LiveClassifier) -> Iterator[None]:
    """Write a change, then take it over in memory.

    If memory cannot follow the disk the classifier is forgotten, and the next request reloads it.
    If the disk could not take the change, memory is still what is on it, and goes on answering.
    """
    with slot.following:
        try:
            yield
        except (StorageFull, StorageUnavailable):
            raise
        except BaseException:
            if slot.live is live:
                slot.live = None
            raise
