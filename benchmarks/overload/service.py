"""A service on a processor of its own, with two tenants, so that whoever asks does not slow it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2 as httpx

from benchmarks.load import Plan, Report, Request, load
from benchmarks.photographs import queries
from benchmarks.servers import PREDICT, register_by
from service.access.principal import Scope
from service.storage.engine import open_database
from service.storage.keys import create_key
from service.storage.stored_keys import KeyTerms
from tests.service.server import Server

EAGER, CALM = "eager", "calm"
_ALL = frozenset({Scope.READ, Scope.PREDICT, Scope.WRITE})
_CONNECTIONS = 512
_CLOSED = 16


@dataclass(frozen=True)
class Overloaded:
    """A running service with a classifier of 10 classes of 16 images of each of two tenants.

    Attributes:
        server: It.
        keys: Of the tenants.
    """

    server: Server
    keys: dict[str, str]

    @property
    def port(self) -> int:
        """On this machine."""
        return httpx.URL(self.server.url).port or 80

    def client(self, tenant: str) -> httpx.Client:
        """One with a tenant's key."""
        client = self.server.client()
        client.headers["x-api-key"] = self.keys[tenant]
        return client

    def asked(
        self, tenant: str, seconds: float, rate: float | None = None, seed: int = 0
    ) -> Report:
        """Queries of a tenant: arriving at random at a rate, or a closed loop, for its capacity."""
        requests = self._requests(tenant)
        connections = _CLOSED if rate is None else _CONNECTIONS
        warm_up = min(3.0, seconds / 4)
        return load(Plan(self.port, requests, connections, seconds, warm_up, rate, seed))

    def relieved(
        self, tenant: str, seconds: float, rate: float, before: tuple[float, float]
    ) -> Report:
        """Queries of a tenant at a rate that, without a pause, follows upon another.

        Args:
            tenant: Who asks.
            seconds: At the rate; these are reported, each arrival by itself.
            rate: Of arrivals a second.
            before: Seconds and rate before.
        """
        requests = self._requests(tenant)
        plan = Plan(self.port, requests, _CONNECTIONS, seconds, before[0], rate)
        return load(replace(plan, rate_before=before[1]))

    def _requests(self, tenant: str) -> Sequence[Request]:
        key = self.keys[tenant]
        return [Request.post(PREDICT, file, "image/jpeg", key) for file in queries()]


@contextmanager
def running(backbone: str = "lite") -> Iterator[Overloaded]:
    """Start it on the first processor, and keep to the others.

    Raises:
        SystemExit: There is one processor alone.
    """
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise SystemExit("the service needs a processor, and whoever asks it another")
    with tempfile.TemporaryDirectory(prefix="handful-overload-") as folder:
        data = Path(folder)
        keys = _keys(data)
        os.sched_setaffinity(0, processors[:1])
        try:
            starting = Server.under(data, {}, backbone=backbone, auth="keys")
        finally:
            os.sched_setaffinity(0, processors[1:])
        with starting as server:
            made = Overloaded(server, keys)
            for tenant in keys:
                with made.client(tenant) as client:
                    register_by(client)
            yield made


def _keys(data: Path) -> dict[str, str]:
    engine = open_database(f"sqlite:///{data / 'handful.db'}")
    try:
        return {
            tenant: create_key(engine, KeyTerms(tenant=tenant, scopes=_ALL))[1]
            for tenant in (EAGER, CALM)
        }
    finally:
        engine.dispose()
