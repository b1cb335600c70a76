"""Deployments: services that clients ask, and the faults that are inflicted upon them."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import psutil

from tests.campaigns.consistency.network import Network, networks
from tests.campaigns.faulty_disk.disk import FaultyDisk
from tests.campaigns.faulty_disk.power import cut_power
from tests.service.clusters import Cluster, own_cluster
from tests.service.postgres import Wire
from tests.service.server import Server

Planted = Callable[[], None]
"""Run in each service before it starts: a bug that is planted."""
Fault = Callable[[random.Random], None]
# Seconds at most of a pause, a cut, or a fault of a disk.
_PAUSED = 3.0
# ... of a network: longer than a service waits for its database.
_LOST = 8.0
_REPLICAS = 2
# Seconds that each waits for the database: less than a client has patience.
_DATABASE_SECONDS = 5
# Seconds for a database that was killed to be started again.
_AGAIN = 60.0


class Deployment(Protocol):
    """What a campaign needs of services.

    Attributes:
        faults: By name; each returns when it is over, and all services are up again.
    """

    @property
    def faults(self) -> Mapping[str, Fault]: ...

    def address(self, draw: random.Random) -> str:
        """The URL of one of the services."""
        ...

    def log(self) -> str:
        """What services have told."""
        ...


class OnSQLite:
    """One service on a database file.

    Args:
        folder: Of its data; it is there.
        settings: Of the service.
        planted: A bug of it.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, object], planted: Planted | None = None
    ) -> None:
        self._folder, self._settings, self._planted = folder, settings, planted
        self._server = self._started()
        self.faults: dict[str, Fault] = {
            "kill": self._kill,
            "pause": self._pause,
            "other writer": self._lock,
        }

    def address(self, draw: random.Random) -> str:
        return self._server.url

    def log(self) -> str:
        return self._server.log.read_text()

    def close(self) -> None:
        self._server.kill()

    def _started(self) -> Server:
        return Server.planted(self._folder, self._planted, **self._settings)

    def _kill(self, draw: random.Random) -> None:
        self._server.kill()
        self._server = self._started()

    def _pause(self, draw: random.Random) -> None:
        with paused(self._server.process.pid):
            time.sleep(draw.uniform(0, _PAUSED))

    def _lock(self, draw: random.Random) -> None:
        """Another process writes, and takes its time."""
        place = self._folder / "handful.db"
        with closing(sqlite3.connect(place, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(draw.uniform(0, _PAUSED))
            other.execute("COMMIT")


class OnFaultyDisk(OnSQLite):
    """One service on a database file, above a disk and a clock that have faults; not forked.

    Args:
        folder: Of its data; it is there.
        settings: Of the service.
        disk: Below it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__(folder, settings)
        self.faults |= {
            "power cut": self._cut_power,
            "full disk": partial(self._disk_fault, "is_full", 1),
            "failing flushes": partial(self._disk_fault, "fails_flushes", 1),
            "failing writes": partial(self._disk_fault, "fails_writes", 1),
            "slow disk": partial(self._disk_fault, "flush_milliseconds", 200),
            "clock ahead": partial(self._disk_fault, "clock_seconds", 3600),
            "clock behind": partial(self._disk_fault, "clock_seconds", -3600),
        }

    def _started(self) -> Server:
        return Server.under(self._folder, self._disk.environment, **self._settings)

    def _cut_power(self, draw: random.Random) -> None:
        self._server.kill()
        cut_power(self._folder, self._disk.log, draw)
        self._server = self._started()

    def _disk_fault(self, what: str, value: int, draw: random.Random) -> None:
        with self._disk.faults(**{what: value}):
            time.sleep(draw.uniform(0, _PAUSED))


class OnPostgreSQL:
    """Replicas on one PostgreSQL, which each has a way of its own to.

    Args:
        folder: Of their data.
        cluster: The server.
        number: Of the replicas.
        networks: Between each and the server, where there can be some; otherwise none.
        settings: Of each.
        planted: A bug of each.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        number: int,
        networks: Sequence[Network],
        settings: Mapping[str, object],
        planted: Planted | None = None,
    ) -> None:
        self._folder, self._settings, self._planted = folder, settings, planted
        self._cluster = cluster
        with cluster.administrator() as administrator:
            administrator.execute("CREATE DATABASE handful")
        self._networks = networks
        if networks:
            self._wires = [Wire(cluster.port, network.near) for network in networks]
            self._ways = [network.far for network in networks]
            for network, wire in zip(networks, self._wires, strict=True):
                network.lead_to(wire.port)
        else:
            self._wires = [Wire(cluster.port) for _ in range(number)]
            self._ways = [f"127.0.0.1:{wire.port}" for wire in self._wires]
        self._servers = [self._started(which) for which in range(number)]
        self.faults: dict[str, Fault] = {
            "kill": self._kill,
            "pause": self._pause,
            "cut": self._cut,
            "kill database": self._kill_database,
            "pause database": self._pause_database,
        }
        if networks:
            self.faults |= {
                "lost network": partial(self._network_fault, Network.cut),
                "slow network": partial(self._network_fault, Network.slow_down),
            }

    def address(self, draw: random.Random) -> str:
        return draw.choice(self._servers).url

    def log(self) -> str:
        return "\n".join(one.log.read_text() for one in self._servers)

    def close(self) -> None:
        for one in self._servers:
            one.kill()
        for wire in self._wires:
            wire.__exit__()

    def _started(self, which: int) -> Server:
        url = f"postgresql+psycopg://postgres@{self._ways[which]}/handful"
        folder = self._folder / f"replica-{which}"
        return Server.planted(folder, self._planted, database_url=url, **self._settings)

    def _kill(self, draw: random.Random) -> None:
        which = draw.randrange(len(self._servers))
        self._servers[which].kill()
        self._servers[which] = self._started(which)

    def _pause(self, draw: random.Random) -> None:
        with paused(draw.choice(self._servers).process.pid):
            time.sleep(draw.uniform(0, _PAUSED))

    def _cut(self, draw: random.Random) -> None:
        wire = draw.choice(self._wires)
        wire.cut()
        time.sleep(draw.uniform(0, _PAUSED))
        wire.mend()

    def _network_fault(self, fault: Callable[[Network], None], draw: random.Random) -> None:
        network = draw.choice(self._networks)
        fault(network)
        time.sleep(draw.uniform(0, _LOST))
        network.mend()

    def _kill_database(self, draw: random.Random) -> None:
        kill_cluster(self._cluster)
        end = time.monotonic() + _AGAIN
        while True:  # what the killed one has left is in the way for a moment
            try:
                self._cluster.start()
                return
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _pause_database(self, draw: random.Random) -> None:
        with paused(_postmaster(self._cluster)):
            time.sleep(draw.uniform(0, _PAUSED))


@contextmanager
def on_sqlite(
    folder: Path, settings: Mapping[str, object], planted: Planted | None = None
) -> Iterator[OnSQLite]:
    """A deployment of one service, for as long as the block takes."""
    with closing(OnSQLite(folder / "data", settings, planted)) as made:
        yield made


@contextmanager
def on_faulty_disk(
    folder: Path, settings: Mapping[str, object], *, drops_flushes: bool = False
) -> Iterator[OnFaultyDisk]:
    """A deployment of one service above a disk that has faults.

    Args:
        drops_flushes: Acknowledges flushes that it does not make, as no disk may: a bug that is
            planted below the service.
    """
    data, place = folder / "data", folder / "disk"
    data.mkdir()
    place.mkdir()
    with (
        closing(FaultyDisk(data, place)) as disk,
        disk.faults(drops_flushes=int(drops_flushes)),
        closing(OnFaultyDisk(data, settings, disk)) as made,
    ):
        yield made


@contextmanager
def on_postgresql(
    folder: Path, settings: Mapping[str, object], planted: Planted | None = None
) -> Iterator[OnPostgreSQL]:
    """A deployment of two replicas on a PostgreSQL of their own, for as long as the block takes."""
    with ExitStack() as stack:
        # Each commit is on the disk: a server that is killed has to find it there.
        cluster = stack.enter_context(own_cluster("campaign", fsync="on", full_page_writes="on"))
        settings = {**settings, "database_seconds": _DATABASE_SECONDS}
        between = [stack.enter_context(Network(i)) for i in range(_REPLICAS if networks() else 0)]
        made = OnPostgreSQL(folder, cluster, _REPLICAS, between, settings, planted)
        stack.callback(made.close)
        yield made


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process and those it has started (SIGSTOP) for as long as the block takes."""
    process = psutil.Process(pid)
    stopped = [process, *process.children(recursive=True)]
    for one in stopped:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


def kill_cluster(cluster: Cluster) -> None:
    """SIGKILL a PostgreSQL server and all its processes."""
    first = psutil.Process(_postmaster(cluster))
    for one in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            os.kill(one.pid, signal.SIGKILL)
    psutil.wait_procs([first], timeout=10)


def _postmaster(cluster: Cluster) -> int:
    return int((cluster.folder / "postmaster.pid").read_text().split("\n", 1)[0])
