"""The scrubber: a thread that checks all that is stored for damage, now and then."""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from typing import Literal

from prometheus_client import Counter as Counted
from prometheus_client import Gauge
from sqlalchemy import Engine

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents import Contents
from service.storage.damage.finding import KINDS, Damage, Found
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
# Seconds until the first look, between two looks, between two signs of life.
_FIRST, _LOOK, _BEAT = 10.0, 60.0, 60.0
# From a check that failed to the next one, at least: each reads a file without pauses.
_RETRY = timedelta(hours=1)
# Of the log.
_LINES = 20

for kind in KINDS:
    DAMAGED.labels(kind)  # told from the start
    MENDED.labels(kind)


class Ended(Exception):
    """The scrubber is closed, or another process has taken its turn, which begins anew."""


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
            self._lost = (Damage("structure", lost),)
            logger.error("damaged: %s", self._lost[0])
            DAMAGED.labels("structure").set(1)
        self._closed = Event()
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._begun, self._not_before = 0.0, 0.0
        self._outrun = False  # another process checks
        self._thread = Thread(target=self._run, name="scrubbing", daemon=True)
        if hours > 0:
            self._thread.start()

    @property
    def state(self) -> State:
        """What the last check has found."""
        if self._lost or (self._last is not None and self._last.found.counts):
            return "damaged"
        return "unchecked" if self._last is None else "sound"

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        self._interrupt()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = self._pause.total_seconds()
        wait = min(_FIRST, pause)
        while not self._closed.wait(wait):
            wait = min(_LOOK, pause)
            try:
                self._look()
            except Ended:
                if self._closed.is_set():
                    return
                logger.warning("another process has begun this check for damage anew")
            except (StorageFull, StorageUnavailable, Outdated, sqlite3.OperationalError) as error:
                if self._closed.is_set():
                    return
                if is_damage(error.__cause__):
                    self._tell_unreadable(error.__cause__)
                else:
                    logger.warning("the database could not be checked for damage: %s", error)
            except Exception:
                logger.exception("the database cannot be checked for damage")

    def _look(self) -> None:
        """Tell what the last check has found, and make the next one if it is due."""
        self._tell(self._turns.last())
        if monotonic() < self._not_before:
            return
        if self._turns.is_due(self._pause) and self._turns.take():
            try:
                self._check()
            except BaseException:
                self._give_up()
                raise

    def _check(self) -> None:
        begun = self._begun = monotonic()
        found = Found()
        with self._beating():
            for damage in find_damage(
                self._engine,
                self._contents,
                self._pace,
                fills=True,
                buckets=False,
                begun=self._interruptible,
            ):
                self._go_on()
                if not self._mended(damage):
                    found.add(damage)
                    if found.places <= _LINES:
                        logger.error("damaged: %s", damage)
        if found.places > _LINES:
            logger.error("damaged: %d more; handful check names all", found.places - _LINES)
        last = LastCheck(datetime.now(UTC), monotonic() - begun, found)
        self._tell(last)
        self._turns.end(last, self._pause)

    def _give_up(self) -> None:
        pause = timedelta() if self._closed.is_set() else min(_RETRY, self._pause)
        try:
            self._turns.let_go(pause)
        except (StorageFull, StorageUnavailable):
            self._not_before = monotonic() + pause.total_seconds()

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Give signs of life by a thread, whatever takes how long, and end where none counts."""
        self._outrun = False
        ended = Event()

        def beat() -> None:
            while not ended.wait(_BEAT):
                with suppress(StorageFull, StorageUnavailable):  # the next one may be written
                    if not self._turns.beat():
                        self._outrun = True
                        self._interrupt()
                        return

        thread = Thread(target=beat, name="scrubbing-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

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
        found = Found()
        found.add(damage)
        self._tell(LastCheck(datetime.now(UTC), 0.0, found))

    def _tell(self, last: LastCheck | None) -> None:
        if last is None or (self._last is not None and last.ended_at < self._last.ended_at):
            return  # what this process has found last could not be written down
        self._last = last
        for kind in KINDS:
            lost = sum(one.kind == kind for one in self._lost)
            DAMAGED.labels(kind).set(last.found.counts.get(kind, 0) + lost)
        CHECKED.set(last.ended_at.timestamp())
        SECONDS.set(last.seconds)

    def _pace(self, nbytes: int) -> None:
        spent = monotonic() - self._begun
        self._closed.wait(max(nbytes / BYTES_PER_SECOND, spent * (1 / SHARE - 1)))
        self._go_on()
        self._begun = monotonic()

    def _go_on(self) -> None:
        if self._closed.is_set() or self._outrun:
            raise Ended

    def _interruptible(self, connection: sqlite3.Connection | None) -> None:
        with self._lock:
            self._connection = connection
        self._go_on()
        self._begun = monotonic()  # what SQLite does by itself has no pauses, and none after it

    def _interrupt(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()
