"""Buckets that all replicas share: a row each, in a table of PostgreSQL that is not logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from service.quotas.gcra import Balance, Charge, ProcessMeters, spend

logger = logging.getLogger("handful.storage")

# Requests of one transaction.
_MOST = 200
# Seconds until the database is asked again that did not answer, after which one that does not
# answer is not waited for, and between two looks for buckets that are full.
_AGAIN, _TIME_OUT, _CLEAN = 1.0, 0.5, 600.0
_TABLE = "handful_rate_meters"
# What a crash takes of it, nobody waits for longer than a second. Rows change in their pages.
_MAKE = (
    f"SELECT pg_advisory_xact_lock({0x48414E444D4554})",  # of several, one makes it
    f"CREATE UNLOGGED TABLE IF NOT EXISTS {_TABLE} (bucket text PRIMARY KEY,"
    " full_at double precision NOT NULL) WITH (fillfactor = 50)",
)
# Of a transaction alone: a pooler gives the session to others.
_LOCAL = (
    "SELECT set_config('synchronous_commit', 'off', true),"
    f" set_config('statement_timeout', '{int(1000 * _TIME_OUT)}', true),"
    f" set_config('lock_timeout', '{int(1000 * _TIME_OUT)}', true)"
)
# Each takes the rows in the same order, so none waits for one that waits for it.
_READ = (
    "SELECT bucket, full_at, extract(epoch FROM clock_timestamp())::float8"
    " FROM handful_rate_meters WHERE bucket = ANY(%s) ORDER BY bucket FOR UPDATE"
)
_ADD = (
    "INSERT INTO handful_rate_meters SELECT bucket, 0 FROM unnest(%s::text[]) AS bucket"
    " ORDER BY bucket ON CONFLICT DO NOTHING"
)
_WRITE = (
    "UPDATE handful_rate_meters AS meters SET full_at = taken.full_at"
    " FROM unnest(%s::text[], %s::float8[]) AS taken (bucket, full_at)"
    " WHERE meters.bucket = taken.bucket"
)
_FORGET = (
    "DELETE FROM handful_rate_meters WHERE bucket IN (SELECT bucket FROM handful_rate_meters"
    " WHERE full_at < extract(epoch FROM clock_timestamp()) - 3600 FOR UPDATE SKIP LOCKED)"
)


class _Asked(NamedTuple):
    """What one request is to take, and who waits for it."""

    charges: Sequence[Charge]
    balances: asyncio.Future[list[Balance]]


class DatabaseMeters:
    """Buckets of all services on one PostgreSQL database, by its clock. For the event loop.

    A transaction is under way at a time, with all requests of this process that came since the
    last; so the busier it is, the less each costs. The rows are locked in it, so all replicas
    together give no more than a bucket has.

    Where the database does not answer in time, buckets of this process alone are asked for a
    second. Rate limits keep tenants from each other and are no lock on a door: to refuse all that
    have limits would turn a slow database into an outage, and to ask no bucket at all would let
    one tenant make it worse.

    Args:
        engine: Of a PostgreSQL database, with psycopg.

    Raises:
        StorageUnavailable: The table cannot be made.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own = ProcessMeters()
        self._waiting: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None
        self._lock = Lock()  # of the connection
        self._connection: Any = None
        self._down_until = self._cleaned = 0.0
        self._failing = False
        with engine.begin() as connection:
            for statement in _MAKE:
                connection.execute(text(statement))

    def take(self, charges: Sequence[Charge]) -> list[Balance] | Awaitable[list[Balance]]:
        """Take all charges, or none; as :meth:`service.quotas.gcra.Meters.take`."""
        if monotonic() < self._down_until:
            return self._own.take(charges)
        asked = _Asked(charges, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return asked.balances

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._let_go()

    async def _work(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                try:
                    found = await asyncio.to_thread(self._taken, [one.charges for one in some])
                    self._failing = False
                except Exception as error:  # whatever it is: it is no request's fault
                    self._fail(error)
                    some, self._waiting = some + self._waiting, []
                    found = [self._own.take(one.charges) for one in some]
                for asked, balances in zip(some, found, strict=True):
                    if not asked.balances.done():  # whoever asked has hung up
                        asked.balances.set_result(balances)
        finally:
            self._working = None

    def _fail(self, error: Exception) -> None:
        self._down_until = monotonic() + _AGAIN
        if not self._failing:
            told = " ".join(str(error).split())
            logger.warning("requests are counted for rate limits by this process alone: %s", told)
        self._failing = True

    def _taken(self, asked: Sequence[Sequence[Charge]]) -> list[list[Balance]]:
        with self._lock:
            try:
                return self._taken_by(self._connected(), asked)
            except BaseException:
                self._let_go()
                raise

    def _taken_by(self, connection: Any, asked: Sequence[Sequence[Charge]]) -> list[list[Balance]]:
        names = list({charge.bucket for charges in asked for charge in charges})
        balances = []
        # Two messages there and back: until the rows are read, and until the end.
        with connection.pipeline(), connection.transaction():
            connection.execute(_LOCAL)
            rows = connection.execute(_READ, [names]).fetchall()
            if len(rows) < len(names):
                connection.execute(_ADD, [names])
                rows = connection.execute(_READ, [names]).fetchall()
            now = max(row[2] for row in rows)
            full_at = {row[0]: row[1] for row in rows}
            changed: dict[str, float] = {}
            for charges in asked:
                spent = [spend(one, full_at[one.bucket], now) for one in charges]
                if not any(balance.wait for balance, _ in spent):
                    for one, (_, at) in zip(charges, spent, strict=True):
                        full_at[one.bucket] = changed[one.bucket] = at
                balances.append([balance for balance, _ in spent])
            if changed:
                connection.execute(_WRITE, [list(changed), list(changed.values())])
        if monotonic() - self._cleaned > _CLEAN:
            self._cleaned = monotonic()
            connection.execute(_FORGET)
        return balances

    def _connected(self) -> Any:
        if self._connection is None:
            pooled = self._engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()  # the pool's are for whoever changes something
            connection.rollback()
            connection.autocommit = True
            self._connection = connection
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()
