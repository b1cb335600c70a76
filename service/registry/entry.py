"""An LRU entry: a classifier's place in memory, with its locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from service.problems import (
    IdempotencyKeyInUse,
    PreconditionFailed,
    StorageFull,
    StorageUnavailable,
)
from service.registry.live import LiveClassifier
from service.storage.errors import Outdated


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
        commit_gate: Closed while memory follows the database, by one thread at a time: from the
            write of a change of this process, or the read of one of another, until memory has
            followed it. Who finds a newer revision in the database than in memory waits here for a
            while, rather than read what this process has just written.
        live: The classifier; None while it is not in memory.
        outdated: Whether the database has refused a change of what is in memory, because it is in
            another state; then nobody takes it for the latest.
        users: How many threads hold or await these locks (a reference count). Only an entry
            without any may be evicted: with two entries there could be two classifiers of a name.
        nbytes: What ``live`` took when it was last counted.
        asked: Whether it was used since it last followed others of its own accord.
    """

    writer: Lock = field(default_factory=Lock)
    loader: Lock = field(default_factory=Lock)
    commit_gate: Lock = field(default_factory=Lock)
    live: LiveClassifier | None = None
    outdated: bool = False
    users: int = 0
    nbytes: int = 0
    asked: bool = False


@contextmanager
def committing(entry: Entry, live: LiveClassifier) -> Iterator[None]:
    """Write a change, then take it over in memory, behind the closed commit gate.

    If memory cannot follow the disk the classifier is forgotten, and the next request reloads it.
    If the disk could not take the change, memory is still what is on it, and goes on answering. If
    others were quicker, the next who asks has it follow them.
    """
    with entry.commit_gate:
        try:
            yield
        except Outdated:
            if entry.live is live:
                entry.outdated = True
            raise
        except (PreconditionFailed, IdempotencyKeyInUse, StorageFull, StorageUnavailable):
            raise
        except BaseException:
            if entry.live is live:
                entry.live = None
            raise


@contextmanager
def committing_to(entry: Entry, live: LiveClassifier | None) -> Iterator[None]:
    """Write what another classifier in memory takes this one's place with.

    Who has found the old one goes on answering by it. Nobody reads the classifier meanwhile, and
    has the old state in memory when the new one is written.

    Args:
        entry: Whose single-writer lock is held.
        live: The classifier after it; None: it is read by the next who asks.
    """
    with entry.loader, entry.commit_gate:
        try:
            yield
        except Outdated:
            entry.outdated = entry.live is not None
            raise
        entry.live, entry.outdated = live, False
