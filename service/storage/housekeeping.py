"""Housekeeping: what was kept for a while is let go of when that is over, by a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from service.problems import StorageFull, StorageUnavailable
from service.storage.archive import forget
from service.storage.errors import Outdated
from service.storage.idempotency import IdempotencyKeys
from service.storage.sessions import forget_expired_sessions
from service.storage.tables import HistoryRow
from service.storage.transactions import writing

logger = logging.getLogger("handful")

_PAUSE = timedelta(hours=1)


def forget_old_history(engine: Engine, before: datetime) -> None:
    """Let go of changes of all classifiers before a time, and of what these had removed."""
    with Session(engine) as session:
        found = session.execute(
            select(HistoryRow.classifier_id, func.max(HistoryRow.revision))
            .where(HistoryRow.at < before)
            .group_by(HistoryRow.classifier_id)
        ).all()
    for classifier_id, revision in found:
        with writing(engine, frees=True) as session:
            forget(session, classifier_id, revision)


class Housekeeping:
    """Does so at the start and each hour, until it is closed.

    Args:
        engine: Of the database.
        history_days: How long what a change has removed is kept.
        forget_copies: Lets go of copies outside the database of what it does not have any more.
    """

    def __init__(
        self, engine: Engine, history_days: float, forget_copies: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._tasks: tuple[Callable[[], None], ...] = (
            self._forget_history,
            IdempotencyKeys(engine).forget_expired,
            partial(forget_expired_sessions, engine),
            forget_copies,
        )
        self._kept = timedelta(days=history_days)
        self._closed = Event()
        self._thread = Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(1.0):
            for let_go in self._tasks:
                try:
                    let_go()
                except Outdated:
                    pass  # another replica lets go of the same, at the same time
                except (StorageFull, StorageUnavailable) as problem:
                    logger.warning("what is old could not be let go of: %s", problem.detail)
            if self._closed.wait(_PAUSE.total_seconds()):
                return

    def _forget_history(self) -> None:
        forget_old_history(self._engine, datetime.now(UTC) - self._kept)
