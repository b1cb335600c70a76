"""Notifications (PostgreSQL's LISTEN and NOTIFY): what other processes have just changed.

A notification is a hint. It comes some moments after the commit, or not at all where a connection
is lost, so nothing is answered by it: that a classifier in memory is the latest is found out by
:mod:`service.storage.latest_states`, and whatever else is waited for is looked for every second or
two as well. It lets a process do at once what it would do at the next query or look.

https://www.postgresql.org/docs/current/sql-notify.html
"""

from __future__ import annotations

import logging
import os
import selectors
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any, Literal

from sqlalchemy import Engine, bindparam, event, func, select
from sqlalchemy.orm import Session

from service.storage.postgresql import TRANSACTION_POOLING
from service.storage.recording import Recorded

logger = logging.getLogger("handful.storage")

#: What a notification is about; that of a classifier says its qualified name, too.
Subject = Literal["classifier", "access", "jobs", "re-embedding"]
Hear = Callable[[str], None]

CHANNEL = "handful"
# Seconds of silence after which the connection is tested, and until a lost one is opened again.
_BEAT, _AGAIN = 30.0, 2.0
# Seconds that a service which ends waits for what is to be told.
_PATIENCE = 2.0
# Classifiers that wait to be told of; more are told of by nobody.
_MOST = 10_000
_LISTEN = f"LISTEN {CHANNEL}"
# No commit record is waited for, of this transaction alone: what a crash loses of it nobody needs.
_TELL = (
    "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, said)"
    " FROM unnest(%s::text[]) AS said"
)
_TELL_ONE = select(func.pg_notify(CHANNEL, bindparam("said")))


def announce(session: Session, subject: Subject) -> None:
    """Let the others know, when the transaction is committed, and only then.

    For what is seldom: PostgreSQL commits transactions that notify one after the other.

    Args:
        session: Of the transaction.
        subject: What it changes.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_TELL_ONE, {"said": subject})


class Notifications:
    """A thread with a connection of its own, by which a process tells others and hears of them.

    Changes of classifiers are told after their transactions, by this thread, many at a time: a
    ``NOTIFY`` within them would have them committed one after the other, each with its wait for
    the disk (a lock of the whole server, from before the commit to after it).

    Where the connection is lost, nothing is told or heard until it is opened again; then all that
    may have been missed is looked for.

    Args:
        engine: Of a PostgreSQL database, with psycopg.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._hear: Mapping[Subject, Hear] = {}
        self._lock = Lock()
        self._to_tell: dict[str, None] = {}  # in their order, each once
        self._ended = Event()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread: Thread | None = None

    @classmethod
    def of(cls, engine: Engine) -> Notifications | None:
        """Those of a database; None where there are none, or no session to hear them in."""
        pooled = engine.get_execution_options().get(TRANSACTION_POOLING, False)
        return cls(engine) if engine.dialect.driver == "psycopg" and not pooled else None

    def begin(self, hear: Mapping[Subject, Hear]) -> None:
        """Tell and hear from now on.

        Args:
            hear: Called with the name of what was changed, or an empty one, in this thread; also
                whenever something may have been missed, but for classifiers. Must not block.
        """
        self._hear = hear
        self._thread = Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """A recorder of changes: others are told of those that can be followed."""
        if recorded.written is None:  # made, or deleted
            return

        def tell(_: Session) -> None:
            self._tell(f"classifier {recorded.name}")

        event.listen(session, "after_commit", tell, once=True)

    def close(self) -> None:
        """Tell what is left to be told, and stop."""
        self._ended.set()
        self._wake_up()
        if self._thread is not None:
            self._thread.join(_PATIENCE)  # it may be connecting to a server that is away
            if self._thread.is_alive():
                return
        os.close(self._woken)
        os.close(self._wake)

    def _tell(self, said: str) -> None:
        with self._lock:
            if len(self._to_tell) < _MOST:
                self._to_tell[said] = None
        self._wake_up()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):  # it is awake
            os.write(self._wake, b"\0")

    def _taken(self) -> list[str]:
        with self._lock:
            taken, self._to_tell = list(self._to_tell), {}
        return taken

    def _run(self) -> None:
        failing = False
        while not self._ended.is_set():
            try:
                with self._listening() as connection:
                    if failing:
                        logger.info("notifications are heard again")
                    failing = False
                    for subject in self._hear:
                        if subject != "classifier":
                            self._heard(subject)
                    self._serve(connection)
            except Exception as error:  # whatever it is: all goes on without
                if not failing and not self._ended.is_set():
                    told = " ".join(str(error).split())
                    logger.warning(
                        "no notifications for now, so changes are followed when they are asked"
                        " for: %s",
                        told,
                    )
                failing = True
                self._taken()
                self._ended.wait(_AGAIN)

    @contextmanager
    def _listening(self) -> Iterator[Any]:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()  # the pool's are for whoever needs a transaction
        try:
            connection.rollback()
            connection.autocommit = True
            connection.execute(_LISTEN)
            yield connection
        finally:
            with suppress(Exception):
                connection.close()

    def _serve(self, connection: Any) -> None:
        mine = connection.info.backend_pid
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = selector.select(_BEAT)
                ends = self._ended.is_set()
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                if (said := self._taken()) or not ready:
                    connection.execute(_TELL, [CHANNEL, said])
                if ends:
                    return
                for heard in connection.notifies(timeout=0):
                    if heard.pid != mine:
                        self._heard(*heard.payload.split(" ", 1))

    def _heard(self, subject: str, name: str = "") -> None:
        hear = self._hear.get(subject)  # type: ignore[call-overload]
        if hear is not None:  # or it is of a later version
            hear(name)
