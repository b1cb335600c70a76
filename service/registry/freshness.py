"""Cache validation: whether a classifier in memory is in the latest state of the database."""

from __future__ import annotations

from threading import Lock
from typing import Protocol

from service.registry.live import LiveClassifier
from service.storage.store import Store

#: Seconds that a query waits for this process to take over what it has written; then it reads it.
FOLLOWING = 1.0


class Freshness(Protocol):
    """Decides whether a classifier in memory may answer, or is to be read again.

    Attributes:
        blocks: Whether the decision takes a read of the database; then it is not made on the
            event loop.
    """

    blocks: bool

    def is_fresh(self, live: LiveClassifier, commit_gate: Lock) -> bool:
        """Whether it is in the state of the database, or in one that came since.

        Args:
            live: In memory.
            commit_gate: Of its entry: held by a writer of this process from its write until
                memory has followed.
        """


class AlwaysFresh:
    """For one process that has the database to itself: memory is what it wrote."""

    blocks = False

    def is_fresh(self, live: LiveClassifier, commit_gate: Lock) -> bool:
        """Yes."""
        return True


class RevisionCheck:
    """For several processes on one database: compares revisions, at the cost of one row.

    The row is read after the question, if together with those of others who ask at the same time
    (:mod:`service.storage.latest_states`). So whoever asks after a change was acknowledged, by
    whichever process, is answered from that change or a later one.

    Args:
        store: Of the database that others write to as well.
    """

    blocks = True

    def __init__(self, store: Store) -> None:
        self._store = store

    def is_fresh(self, live: LiveClassifier, commit_gate: Lock) -> bool:
        """Whether its revision is the one in the database, or a later one."""
        state = self._store.latest_state(live.name)
        if state is None:
            return False
        # Memory is perhaps about to follow a change of this process.
        if not live.state.includes(state) and commit_gate.acquire(timeout=FOLLOWING):
            commit_gate.release()
        return live.state.includes(state)
