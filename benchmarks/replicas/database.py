"""A database of a PostgreSQL server for the time of a measurement, and its processor time."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg

SERVER = os.environ.get("HANDFUL_BENCHMARK_POSTGRESQL", "postgres@127.0.0.1:5432")


@contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of an empty database on the server, which is gone afterwards."""
    name = f"handful_benchmark_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"postgresql://{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"postgresql+psycopg://{SERVER}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def statistics(url: str) -> dict[str, int]:
    """Transactions of a database so far."""
    server, name = _parts(url)
    with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted"
            " FROM pg_stat_database WHERE datname = %s",
            [name],
        ).fetchone()
    assert row is not None
    return {"transactions": row[0], "rows written": row[1]}


class Processors:
    """Processor seconds of processes from now on: of a database's sessions, and of services.

    Args:
        url: Of the database; sessions that end meanwhile are not counted.
        services: Their process ids.
    """

    def __init__(self, url: str, services: list[int]) -> None:
        self._url = url
        self._services = services
        self._begun = self._now()
        self._own = sum(os.times()[:2])
        self._busy = _busy()

    def used(self) -> dict[str, float]:
        """Seconds of services, of the sessions, of this process, and of all on this machine."""
        now = self._now()
        return {
            "all": _busy() - self._busy,
            "this": sum(os.times()[:2]) - self._own,
            "services": sum(
                seconds - self._begun.get(pid, 0.0)
                for pid, seconds in now.items()
                if pid in self._services
            ),
            "postgresql": sum(
                seconds - self._begun.get(pid, 0.0)
                for pid, seconds in now.items()
                if pid not in self._services
            ),
        }

    def _now(self) -> dict[int, float]:
        server, name = _parts(self._url)
        with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s", [name]
            ).fetchall()
        found = {}
        for pid in [*self._services, *(row[0] for row in rows)]:
            with suppress(psutil.Error):
                times = psutil.Process(pid).cpu_times()
                found[pid] = times.user + times.system
        return found


def _parts(url: str) -> tuple[str, str]:
    server, _, name = url.removeprefix("postgresql+psycopg://").rpartition("/")
    return server, name


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
