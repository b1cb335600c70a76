"""Brings the tuning of a classifier in memory up to date, beside its queries and its changes."""

from __future__ import annotations

from adapters.rest import Rest
from service.registry.background_tuning import Outcome
from service.registry.entry import committing
from service.registry.live import LiveClassifier
from service.registry.lru import OTHERS_TUNE, LoadedClassifiers
from service.registry.tuning_queue import TuningQueue
from service.storage.change import Change
from service.storage.errors import Outdated
from service.storage.store import Store

# Seconds to wait for a change that is being made, which mostly makes the tuning outdated.
_PATIENCE = 1.0


class Retuning:
    """Tunes classifiers, one call each; the caller holds no lock.

    A tuning is found on one state of the classifier without any lock, and written as a revision of
    its own if that is still the state. If it is not, whoever changed it has told the queue.

    Args:
        store: Where tunings are written.
        loaded: The classifiers. Who is not in memory is not loaded for this.
        tunings: Told of those that are to be looked at again.
        shared: Whether other processes have the database too.
    """

    def __init__(
        self, store: Store, loaded: LoadedClassifiers, tunings: TuningQueue, *, shared: bool
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._tunings = tunings
        self._delay = OTHERS_TUNE if shared else 0.0

    def __call__(self, name: str, rest: Rest) -> Outcome:
        """Tune a classifier, or fit it to the tuning that another process has found.

        Args:
            name: The classifier's.
            rest: Called every few milliseconds; may raise.

        Raises:
            Outdated: It changed meanwhile.
        """
        with self._loaded.kept(name) as entry:
            if entry is None or (before := entry.live) is None:
                return "nothing"
            state = before.state
            live = self._loaded.load(entry, name)  # follows what others have written
        if live is None or live.state != state:
            return "nothing"  # it is gone, or just read, and in the queue again if need be
        if live.postponed is not None:
            self._refit(name, live)
            if not live.tuning_is_current:
                self._tunings.tell(name, self._delay)
            return "nothing"
        return "nothing" if live.tuning_is_current else self._tune(name, live, rest)

    def _refit(self, name: str, live: LiveClassifier) -> None:
        basis = live.basis()
        refitted = live.refitted(basis)
        with self._loaded.kept(name) as entry:
            if refitted is None or entry is None or entry.live is not live:
                raise Outdated
            with entry.commit_gate:
                if live.state != basis.state:
                    raise Outdated
                live.replace(refitted)

    def _tune(self, name: str, live: LiveClassifier, rest: Rest) -> Outcome:
        basis = live.basis()
        views = basis.settings.support_views
        as_queries = self._store.query_embeddings(name) if views > 1 else None

        def rest_if_unchanged() -> None:
            if live.state != basis.state:
                raise Outdated
            rest()

        try:
            prepared = live.retuned(basis, rest_if_unchanged, as_queries)
        finally:
            rest_if_unchanged()  # whatever it met with in a state that is no more
        with self._loaded.kept(name) as entry:
            if entry is None or entry.live is not live:
                return "nothing"
            if not entry.writer.acquire(timeout=_PATIENCE):
                self._tunings.tell(name)
                raise Outdated
            try:
                if entry.live is not live or live.state != basis.state:
                    raise Outdated
                with committing(entry, live):
                    change = Change(tuning=prepared.change.tuning)
                    live.apply(self._store.write(basis.state, change), prepared)
            except Outdated:
                self._tunings.tell(name, self._delay)
                raise
            finally:
                entry.writer.release()
        return "written"
