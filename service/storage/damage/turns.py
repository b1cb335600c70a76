"""Whose turn it is to check the database, and what was found last: a row that all processes see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, insert, or_, select, update

from service.storage.damage.finding import Damage, read_damages
from service.storage.errors import Outdated
from service.storage.tables import DamageCheckRow, table_of
from service.storage.transactions import execute_or_outdated, writing

# After this without a sign of life another process begins anew.
_DEAD = timedelta(minutes=5)
# What is written down of a check at most.
_MOST = 1000
_ROW = table_of(DamageCheckRow)


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the last check of the database has come to.

    Attributes:
        ended_at: When.
        seconds: How long it took.
        damage: What was found and could not be mended; the first thousand.
    """

    ended_at: datetime
    seconds: float
    damage: tuple[Damage, ...]


class CheckTurns:
    """Turns of one process. Methods block.

    Args:
        engine: Of the database.
        worker: Who the process is.
    """

    def __init__(self, engine: Engine, worker: str) -> None:
        self._engine = engine
        self._worker = worker

    def last(self) -> LastCheck | None:
        """The last check that ended; None: there was none."""
        asked = select(_ROW.c.ended_at, _ROW.c.seconds, _ROW.c.found)
        with self._engine.connect() as connection:
            row = connection.execute(asked).first()
        if row is None or not isinstance(row.ended_at, datetime):
            return None
        try:
            return LastCheck(row.ended_at, row.seconds or 0.0, read_damages(row.found))
        except ValueError:
            return None

    def is_due(self, most: timedelta) -> bool:
        """Whether the database is to be checked by now, and nobody does; costs one row.

        Args:
            most: Longest until the next check, whatever is written down: it was less before.
        """
        asked = select(_ROW.c.due_at, _ROW.c.worker, _ROW.c.beat)
        with self._engine.connect() as connection:
            row = connection.execute(asked).first()
        now = datetime.now(UTC)
        if row is None or not isinstance(row.due_at, datetime):
            return True
        if isinstance(row.beat, datetime) and row.worker and now - row.beat < _DEAD:
            return False
        return not now < row.due_at <= now + most

    def take(self) -> bool:
        """Begin a check that is due; whether nobody else was quicker."""
        now = datetime.now(UTC)
        mine = {"worker": self._worker, "beat": now}
        free = or_(_ROW.c.worker.is_(None), _ROW.c.beat < now - _DEAD)
        with writing(self._engine) as session:
            if session.execute(select(_ROW.c.id)).first() is None:
                try:
                    execute_or_outdated(session, insert(_ROW), [{"id": 1, "due_at": now, **mine}])
                except Outdated:
                    session.rollback()
                    return False
                return True
            taken = session.execute(update(_ROW).where(free).values(mine))
            return cast("CursorResult[Any]", taken).rowcount == 1

    def ask(self) -> None:
        """Let the database be checked at once, by whichever service has it; if one ever has."""
        with writing(self._engine) as session:
            session.execute(update(_ROW).values(due_at=datetime.now(UTC)))

    def beat(self) -> None:
        """Give a sign of life."""
        with writing(self._engine) as session:
            session.execute(
                update(_ROW).where(_ROW.c.worker == self._worker).values(beat=datetime.now(UTC))
            )

    def let_go(self) -> None:
        """Give up a check that is not at its end, for the next one to begin it anew."""
        with writing(self._engine) as session:
            session.execute(
                update(_ROW).where(_ROW.c.worker == self._worker).values(worker=None, beat=None)
            )

    def end(self, seconds: float, damage: Sequence[Damage], pause: timedelta) -> None:
        """Write down what a check has come to, and when the next one is due."""
        now = datetime.now(UTC)
        ended = {
            "worker": None,
            "beat": None,
            "due_at": now + pause,
            "ended_at": now,
            "seconds": seconds,
            "found": [one.as_json() for one in damage[:_MOST]],
        }
        with writing(self._engine) as session:
            session.execute(update(_ROW).values(ended))
