"""The LRU cache of classifiers: as many as fit; each is loaded by the first who asks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from prometheus_client import Counter, Gauge, Histogram

from adapters.backbones import Backbone
from adapters.cache import CacheSettings
from service.problems import (
    ClassifierDamaged,
    ClassifierNotFound,
    StorageFull,
    StorageUnavailable,
)
from service.registry.fitting import check_fits
from service.registry.freshness import Freshness
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


@dataclass(slots=True)
class Entry:
    """An LRU entry: a classifier's place in memory, with its locks, each for one purpose.

    A thread takes them in the order of this list.

    Attributes:
        writer: The single-writer lock. A change holds it from the look at the latest state until
            memory has followed the disk, so that of two changes the second is made on top of the
            first. The API lets those that wait for it queue up before it without a thread
            (``service/api/limiters.py``); the invariant is kept here, whoever calls.
        loader: The single-flight lock of reading the classifier: one thread reads it, and whoever
            waits takes what that one has read. Not held while a change is tuned, so that who only
            asks does not wait for somebody's images.
        commit_gate: Closed from the write of a change until memory has followed it. Who finds a
            newer revision in the database than in memory waits here for a while, rather than read
            what this process has just written.
        live: The classifier; None while it is not in memory.
        users: How many threads hold or await these locks (a reference count). Only an entry
            without any may be evicted: with two entries there could be two classifiers of a name.
        nbytes: What ``live`` took when it was last counted.
    """

    writer: Lock = field(default_factory=Lock)
    loader: Lock = field(default_factory=Lock)
    commit_gate: Lock = field(default_factory=Lock)
    live: LiveClassifier | None = None
    users: int = 0
    nbytes: int = 0


class LoadedClassifiers:
    """An LRU cache of classifiers by name. Methods block, and may be called from many threads.

    All that is acknowledged is in the database, so any classifier that nobody changes may be
    evicted at any time. Whoever still asks an evicted one gets answers from the state in which
    the request found it.

    Args:
        store: Where classifiers are read from.
        backbone: Whose embeddings they hold.
        max_bytes: What all of them may take together. Beyond it the least recently used are
            evicted; the one used last stays, whatever it takes.
        freshness: Whether the one in memory is the latest, asked at each use.
        cache: How they keep their support images.
    """

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        max_bytes: int,
        freshness: Freshness,
        cache: CacheSettings,
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._max_bytes = max_bytes
        self._freshness = freshness
        self._cache = cache
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # the least recently used first
        self._bytes = 0
        # Guards the two above, and users and nbytes of the entries; held for microseconds.
        self._index_lock = Lock()

    def get(self, name: str) -> LiveClassifier:
        """The latest state of a classifier; costs a read of its embeddings if not in memory.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        if (live := self.in_memory(name)) is not None:
            return live
        with self._used(name) as entry:
            return self._existing(entry, name)

    def in_memory(self, name: str) -> LiveClassifier | None:
        """The classifier if it is in memory and surely the latest; costs microseconds."""
        if self._freshness.blocks:
            return None
        with self._index_lock:
            entry = self._entries.get(name)
            if entry is None or entry.live is None:
                return None
            self._entries.move_to_end(name)
            return entry.live

    @contextmanager
    def changing(self, name: str) -> Iterator[tuple[Entry, LiveClassifier]]:
        """An existing classifier and its entry, under its single-writer lock.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        with self.writing(name) as entry:
            yield entry, self._existing(entry, name)

    @contextmanager
    def writing(self, name: str) -> Iterator[Entry]:
        """The entry of a classifier that may not exist yet, under its single-writer lock."""
        with self._used(name) as entry, entry.writer:
            yield entry

    def load(self, entry: Entry, name: str) -> LiveClassifier | None:
        """The classifier of an entry in use; None if there is none of that name."""
        if (live := self._fresh(entry)) is not None:
            return live
        with entry.loader:
            if (live := self._fresh(entry)) is not None:  # somebody has loaded it
                return live
            with LOAD_SECONDS.time():
                stored = self._store.load(name)
                live = None if stored is None else _ready(stored, self._backbone, self._cache)
            entry.live = live
            return live

    def _fresh(self, entry: Entry) -> LiveClassifier | None:
        live = entry.live
        if live is None or not self._freshness.is_fresh(live, entry.commit_gate):
            return None
        return live

    def _existing(self, entry: Entry, name: str) -> LiveClassifier:
        if (live := self.load(entry, name)) is None:
            raise ClassifierNotFound(name)
        return live

    @contextmanager
    def _used(self, name: str) -> Iterator[Entry]:
        """The entry of that name, which is not evicted as long as this lasts."""
        with self._index_lock:
            entry = self._entries.setdefault(name, Entry())
            entry.users += 1
        try:
            yield entry
        finally:
            with self._index_lock:
                entry.users -= 1
                self._account(name, entry)
                self._evict()

    def _account(self, name: str, entry: Entry) -> None:
        """Count an entry anew after its use, as the most recently used."""
        self._bytes -= entry.nbytes
        live = entry.live
        entry.nbytes = 0 if live is None else live.nbytes
        self._bytes += entry.nbytes
        self._entries.move_to_end(name)
        if live is None and entry.users == 0:
            del self._entries[name]  # clients could fill the memory with names of nothing

    def _evict(self) -> None:
        """Drop the least recently used that are too much."""
        last = next(reversed(self._entries), None)  # another than was used, if that was given up
        unused = []
        for name, candidate in self._entries.items():
            if self._bytes <= self._max_bytes or name == last:
                break
            if candidate.users == 0:
                unused.append(name)
                self._bytes -= candidate.nbytes
        for name in unused:
            del self._entries[name]
        UNLOADED.inc(len(unused))
        LOADED.set(len(self._entries))
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
def committing(entry: Entry, live: LiveClassifier) -> Iterator[None]:
    """Write a change, then take it over in memory, behind the closed commit gate.

    If memory cannot follow the disk the classifier is forgotten, and the next request reloads it.
    If the disk could not take the change, memory is still what is on it, and goes on answering.
    """
    with entry.commit_gate:
        try:
            yield
        except (StorageFull, StorageUnavailable):
            raise
        except BaseException:
            if entry.live is live:
                entry.live = None
            raise
