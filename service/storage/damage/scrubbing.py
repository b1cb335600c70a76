"""The scrubber: a thread that checks all that is stored for damage, now and then."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from typing import Literal

from prometheus_client import Counter as Counted
from prometheus_client import Gauge
from sqlalchemy import Engine

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents import Contents
from service.storage.damage.finding import KINDS, Damage
from service.storage.damage.looking import find_damage
from service.storage.damage.structure import is_damage
from service.storage.damage.turns import CheckTurns, LastCheck
from service.storage.errors import Outdated

logger = logging.getLogger("handful.storage")

DAMAGED = Gauge(
    "handful_storage_damaged",
    "Damaged places that the last check has found and could not mend.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
CHECKED = Gauge(
    "handful_storage_checked_timestamp_seconds",
    "When the last check of all that is stored ended; 0: there was none.",
    multiprocess_mode="livemostrecent",
)
SECONDS = Gauge(
    "handful_storage_check_seconds",
    "How long the last check of all that is stored took.",
    multiprocess_mode="livemostrecent",
)
MENDED = Counted("handful_storage_mended_total", "Damaged places that were mended.", ["kind"])

State = Literal["sound", "damaged", "unchecked"]
Mend = Callable[[Damage], bool]
"""Mends a damaged place if it can; whether it could. Blocks."""

# Bytes a second that are read, and the share of the time in which they are: whichever is slower.
BYTES_PER_SECOND, SHARE = 32 * 2**20, 0.25
# Seconds until the first look, between two looks, between two signs of life, and lines of the log.
_FIRST, _LOOK, _BEAT = 10.0, 60.0, 60.0
_LINES = 20

for kind in KINDS:
    DAMAGED.labels(kind)  # told from the start
    MENDED.labels(kind)


class Ended(Exception):
    """The scrubber is closed; what it has begun is begun anew by the next one."""


class Scrubber:
    """Checks a database each so many hours, and tells what it has found, until it is closed.

    Of several processes one does at a time; the others tell what that has found.

    Args:
        engine: Of the database.
        contents: Its images.
        mend: Mends what can be.
        hours: From the end of one check to the next; 0: none is made.
        lost: What was lost before this process began, which no check can find; told until it ends.
    """

    def __init__(
        self,
        engine: Engine,
        contents: Contents,
        mend: Mend,
        hours: float,
        lost: str | None = None,
    ) -> None:
        self._engine, self._contents, self._mend = engine, contents, mend
        self._pause = timedelta(hours=hours)
        self._turns = CheckTurns(engine, uuid.uuid4().hex)
        self._last: LastCheck | None = None
        self._lost: tuple[Damage, ...] = ()
        if lost is not None:
            said = f"{lost}: changes that were acknowledged last may be lost"
            self._lost = (Damage("structure", said),)
            logger.error("damaged: %s", self._lost[0])
            DAMAGED.labels("structure").set(1)
        self._closed = Event()
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._begun, self._beat = 0.0, 0.0
        self._thread = Thread(target=self._run, name="scrubbing", daemon=True)
        if hours > 0:
            self._thread.start()

    @property
    def state(self) -> State:
        """What the last check has found."""
        if self._lost or (self._last is not None and self._last.damage):
            return "damaged"
        return "unchecked" if self._last is None else "sound"

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = self._pause.total_seconds()
        wait = min(_FIRST, pause)
        while not self._closed.wait(wait):
            wait = min(_LOOK, pause)
            try:
                self._tell(self._turns.last())
                if self._turns.is_due(self._pause) and self._turns.take():
                    self._check()
            except Ended:
                return
            except (StorageFull, StorageUnavailable, Outdated, sqlite3.OperationalError) as error:
                if self._closed.is_set():
                    return
                if is_damage(error.__cause__):
                    self._tell_unreadable(error.__cause__)
                else:
                    logger.warning("the database could not be checked for damage: %s", error)
            except Exception:
                logger.exception("the database cannot be checked for damage")

    def _check(self) -> None:
        begun = self._begun = self._beat = monotonic()
        left: list[Damage] = []
        try:
            for damage in find_damage(
                self._engine,
                self._contents,
                self._pace,
                fills=True,
                buckets=False,
                begun=self._interruptible,
            ):
                if self._closed.is_set():
                    raise Ended
                if not self._mended(damage):
                    left.append(damage)
                    if len(left) <= _LINES:
                        logger.error("damaged: %s", damage)
        except BaseException:
            with suppress(StorageFull, StorageUnavailable):
                self._turns.let_go()
            raise
        seconds = monotonic() - begun
        if len(left) > _LINES:
            logger.error("damaged: %d more; handful check names all", len(left) - _LINES)
        self._tell(LastCheck(datetime.now(UTC), seconds, tuple(left)))
        self._turns.end(seconds, left, self._pause)

    def _mended(self, damage: Damage) -> bool:
        try:
            if not self._mend(damage):
                return False
        except Exception:
            logger.exception("cannot be mended: %s", damage)
            return False
        MENDED.labels(damage.kind).inc()
        logger.warning("damaged, and mended: %s", damage)
        return True

    def _tell_unreadable(self, error: BaseException | None) -> None:
        """Say that not even the turns can be read, so that this cannot be written down."""
        damage = Damage("structure", f"the database cannot be read: {error}")
        logger.error("damaged: %s", damage)
        self._tell(LastCheck(datetime.now(UTC), 0.0, (damage,)))

    def _tell(self, last: LastCheck | None) -> None:
        if last is None or (self._last is not None and last.ended_at < self._last.ended_at):
            return  # what this process has found last could not be written down
        self._last = last
        counts = Counter(one.kind for one in (*last.damage, *self._lost))
        for kind in KINDS:
            DAMAGED.labels(kind).set(counts[kind])
        CHECKED.set(last.ended_at.timestamp())
        SECONDS.set(last.seconds)

    def _pace(self, nbytes: int) -> None:
        now = monotonic()
        spent = now - self._begun
        if self._closed.wait(max(nbytes / BYTES_PER_SECOND, spent * (1 / SHARE - 1))):
            raise Ended
        self._begun = monotonic()
        if self._begun - self._beat > _BEAT:
            self._beat = self._begun
            self._turns.beat()

    def _interruptible(self, connection: sqlite3.Connection | None) -> None:
        with self._lock:
            self._connection = connection
        if self._closed.is_set():
            raise Ended


def counted(damage: Sequence[Damage]) -> str:
    """How many there are of each kind, in words."""
    counts = Counter(one.kind for one in damage)
    return ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
