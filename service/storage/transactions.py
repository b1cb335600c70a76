"""Transactions: what reads several times from one state, and what writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, Insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.storage.errors import Outdated
from service.storage.observation import WRITE_SECONDS
from service.storage.sqlite import SQLiteFile
from service.telemetry.request_trace import traced_part


def one_state(engine: Engine) -> Connection:
    """A connection to be opened in a ``with``, of which all statements see the same state.

    SQLite's transactions do by themselves.
    """
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.connect()


@contextmanager
def writing(engine: Engine, *, frees: bool = False) -> Iterator[Session]:
    """A transaction that is written whole when the block ends, or not at all.

    Args:
        engine: Of the database.
        frees: Whether it deletes; then it may use the room that is kept for it on a full disk.

    Raises:
        StorageFull, StorageUnavailable: Nothing was written; why, and what to do.
        Outdated: A row that it rests on was changed by another transaction meanwhile.
    """
    file: SQLiteFile | None = engine.get_execution_options().get("file")
    begun = perf_counter()
    with (
        traced_part("write", {"db.system.name": engine.dialect.name}),
        nullcontext() if file is None else file.exclusively(frees=frees),
        Session(engine.execution_options(writes=True)) as session,
        session.begin(),
    ):
        yield session
    WRITE_SECONDS.observe(perf_counter() - begun)


def flush_or_outdated(session: Session) -> None:
    """Write rows of which there is one for each name or content.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise Outdated from error


def execute_or_outdated(
    session: Session, statement: Insert, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows at once, of which there is one for each name or content.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    try:
        session.execute(statement, rows)
    except IntegrityError as error:
        raise Outdated from error
