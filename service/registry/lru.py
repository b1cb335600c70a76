"""The LRU cache of classifiers: as many as fit; each is loaded by the first who asks."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from prometheus_client import Counter, Gauge, Histogram

from adapters.cache import CacheSettings
from adapters.encoder import Encoder
from service.problems import ClassifierDamaged, ClassifierNotFound
from service.registry.basis import Basis
from service.registry.entry import Entry
from service.registry.fitting import check_fits
from service.registry.freshness import FOLLOWING, Freshness
from service.registry.live import LiveClassifier
from service.registry.tuning_queue import TuningQueue
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
FOLLOW_SECONDS = Histogram(
    "handful_classifier_follow_seconds",
    "Time to bring a classifier in memory to the state that another process has written.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5),
)
UNLOADED = Counter("handful_classifiers_unloaded_total", "Classifiers dropped for others' sake.")

#: Seconds for which the tuning is left to the process that has made a change.
OTHERS_TUNE = 10.0


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
        tunings: Told of those whose tuning is found to be stale.
    """

    def __init__(
        self,
        store: Store,
        backbone: Encoder,
        max_bytes: int,
        freshness: Freshness,
        cache: CacheSettings,
        tunings: TuningQueue,
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._max_bytes = max_bytes
        self._freshness = freshness
        self._cache = cache
        self._tunings = tunings
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

    def last_fingerprint(self, name: str) -> str | None:
        """Of what the classifier in memory is of, the latest or not; None: there is none."""
        with self._index_lock:
            entry = self._entries.get(name)
        live = None if entry is None else entry.live
        return None if live is None else live.fingerprint

    @contextmanager
    def changing(self, name: str) -> Iterator[tuple[Entry, LiveClassifier, Basis]]:
        """An existing classifier, its entry and its present state, under its single-writer lock.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        with self.writing(name) as entry:
            live = self._existing(entry, name)
            yield entry, live, live.basis()

    @contextmanager
    def writing(self, name: str) -> Iterator[Entry]:
        """The entry of a classifier that may not exist yet, under its single-writer lock."""
        with self._used(name) as entry, entry.writer:
            yield entry

    @contextmanager
    def kept(self, name: str) -> Iterator[Entry | None]:
        """The entry of a classifier if it has one, which is not evicted as long as this lasts.

        This is no use of it: it does not become the most recently used.
        """
        with self._index_lock:
            entry = self._entries.get(name)
            if entry is not None:
                entry.users += 1
        try:
            yield entry
        finally:
            if entry is not None:
                with self._index_lock:
                    entry.users -= 1
                    self._account(name, entry)
                    self._evict()

    def follow(self, name: str) -> None:
        """Bring a classifier in memory up to date, if it was used since this was last done.

        So one that others change and nobody here asks about costs nothing but the first time.
        """
        with self.kept(name) as entry:
            if entry is not None and entry.live is not None and entry.asked:
                entry.asked = False
                self.load(entry, name)

    def load(self, entry: Entry, name: str) -> LiveClassifier | None:
        """The classifier of an entry in use; None if there is none of that name.

        One that is behind the database follows by what has changed since, where the database can
        tell; otherwise it is read anew.
        """
        if (live := self._fresh(entry)) is not None:
            return live
        with entry.loader:
            if (live := self._fresh(entry)) is not None:  # somebody has loaded it
                return live
            live = self._followed(entry)
            if live is None:
                with LOAD_SECONDS.time():
                    stored = self._store.load(name)
                    live = None if stored is None else _ready(stored, self._backbone, self._cache)
                entry.live, entry.outdated = live, False
            if live is not None:
                self._see_to_tuning(live)
            return live

    def _fresh(self, entry: Entry) -> LiveClassifier | None:
        live = entry.live
        if live is None or entry.outdated:
            return None
        return live if self._freshness.is_fresh(live, entry.commit_gate) else None

    def _followed(self, entry: Entry) -> LiveClassifier | None:
        """The classifier in memory with what was written since; None: it is to be read anew."""
        live = entry.live
        if live is None or not entry.commit_gate.acquire(timeout=FOLLOWING):
            return None
        try:
            with FOLLOW_SECONDS.time():
                written = self._store.written_since(live.state)
                if written is None or (written.settings is not None and written.tuning is None):
                    return None
                if written.revision != live.state.revision:
                    live.apply(written, may_postpone=True)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            # As for one that is read: what it follows by fits neither itself nor the backbone.
            logger.exception("classifier %r cannot follow its changes and is read anew", live.name)
            return None
        finally:
            entry.commit_gate.release()
        entry.outdated = False
        return live

    def _see_to_tuning(self, live: LiveClassifier) -> None:
        """Have the tuning brought up to date, if it is not.

        Where others have the database too, whoever wrote a change tunes at once. It is left to
        them for a while; then they are perhaps no more.
        """
        if live.postponed is not None:
            self._tunings.tell(live.name)
        elif not live.tuning_is_current:
            self._tunings.tell(live.name, OTHERS_TUNE if self._freshness.blocks else 0.0)

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
            entry.asked = True
        try:
            yield entry
        finally:
            with self._index_lock:
                entry.users -= 1
                self._entries.move_to_end(name)
                self._account(name, entry)
                self._evict()

    def _account(self, name: str, entry: Entry) -> None:
        """Count an entry anew after its use."""
        self._bytes -= entry.nbytes
        live = entry.live
        entry.nbytes = 0 if live is None else live.nbytes
        self._bytes += entry.nbytes
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


def _ready(stored: StoredClassifier, backbone: Encoder, cache: CacheSettings) -> LiveClassifier:
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
