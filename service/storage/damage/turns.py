"""Whose turn it is to check the database, and what was found last: a row that all processes see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, case, insert, literal, or_, select, update

from service.storage.damage.finding import Found, read_found
from service.storage.errors import Outdated
from service.storage.tables import DamageCheckRow, table_of
from service.storage.transactions import execute_or_outdated, writing

# After this without a sign of life another process begins anew.
_DEAD = timedelta(minutes=5)
_ROW = table_of(DamageCheckRow)


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the last check of the database has come to.

    Attributes:
        ended_at: When.
        seconds: How long it took.
        found: What could not be mended.
    """

    ended_at: datetime
    seconds: float
    found: Found


class CheckTurns:
    """Turns of one process. Methods block.

    Args:
        engine: Of the database.
        worker: Who the process is.
    """

    def __init__(self, engine: Engine, worker: str) -> None:
        self._engine = engine
        self._worker = worker
        self._taken = datetime.now(UTC)

    def last(self) -> LastCheck | None:
        """The last check that ended; None: there was none."""
        asked = select(_ROW.c.ended_at, _ROW.c.seconds, _ROW.c.found)
        with self._engine.connect() as connection:
            row = connection.execute(asked).first()
        if row is None or not isinstance(row.ended_at, datetime):
            return None
        try:
            return LastCheck(row.ended_at, row.seconds or 0.0, read_found(row.found))
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
        now = self._taken = datetime.now(UTC)
        mine = {"worker": self._worker, "beat": now, "due_at": now}
        free = or_(_ROW.c.worker.is_(None), _ROW.c.beat < now - _DEAD)
        with writing(self._engine) as session:
            if session.execute(select(_ROW.c.id)).first() is None:
                try:
                    execute_or_outdated(session, insert(_ROW), [{"id": 1, **mine}])
                except Outdated:
                    session.rollback()
                    return False
                return True
            taken = session.execute(update(_ROW).where(free).values(mine))
            return cast("CursorResult[Any]", taken).rowcount == 1

    def ask(self) -> None:
        """Let the database be checked at once, by whichever service has it; if one ever has.

        One that is checked now is checked again: that check has passed what was found meanwhile.
        """
        with writing(self._engine) as session:
            session.execute(update(_ROW).values(due_at=datetime.now(UTC)))

    def beat(self) -> bool:
        """Give a sign of life; whether it still is this process's turn."""
        return self._write(beat=datetime.now(UTC))

    def let_go(self, pause: timedelta) -> None:
        """Give up a check that is not at its end, for the next one to begin it anew.

        Args:
            pause: Until then.
        """
        self._write(worker=None, beat=None, due_at=self._next(pause))

    def end(self, last: LastCheck, pause: timedelta) -> None:
        """Write down what a check has come to, if it still is this process's turn.

        Args:
            last: That check.
            pause: Until the next one.
        """
        self._write(
            worker=None,
            beat=None,
            due_at=self._next(pause),
            ended_at=last.ended_at,
            seconds=last.seconds,
            found=last.found.as_json(),
        )

    def _next(self, pause: timedelta) -> Any:
        """When the next check is due: after a pause, or when somebody has asked for one."""
        due = literal(datetime.now(UTC) + pause, _ROW.c.due_at.type)
        return case((_ROW.c.due_at == self._taken, due), else_=_ROW.c.due_at)

    def _write(self, **values: Any) -> bool:
        mine = update(_ROW).where(_ROW.c.worker == self._worker)
        with writing(self._engine) as session:
            written = session.execute(mine.values(values))
            return cast("CursorResult[Any]", written).rowcount == 1
