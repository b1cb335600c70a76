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
    server, _, name = url.removeprefix("postgresql+psycopg://").rpartition("/")
    with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted"
            " FROM pg_stat_database WHERE datname = %s",
            [name],
        ).fetchone()
    assert row is not None
    return {"transactions": row[0], "rows written": row[1]}


class Processors:
    """Processor seconds of processes from now on: those of the server, and those of services.

    Args:
        services: Their process ids.
    """

    def __init__(self, services: list[int]) -> None:
        self._services = services
        self._begun = self._now()
        self._busy = _busy()

    def used(self) -> dict[str, float]:
        """Processor seconds of services, of PostgreSQL's living processes, and of all together."""
        now = self._now()
        return {
            "services": now["services"] - self._begun["services"],
            "postgresql": now["postgresql"] - self._begun["postgresql"],
            "all": _busy() - self._busy,
        }

    def _now(self) -> dict[str, float]:
        found = {"services": 0.0, "postgresql": 0.0}
        for process in psutil.process_iter(["name", "pid"]):
            with suppress(psutil.Error):
                which = "services" if process.pid in self._services else "postgresql"
                if which == "services" or process.info["name"] == "postgres":
                    times = process.cpu_times()
                    found[which] += times.user + times.system
        return found


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
