"""Several processes that serve one port, each with the encoder and a memory of its own.

One process receives a thousand images a second at most, as Python runs one thread at a time; a GPU
encodes several thousand. What the processes share is the port, the database and the folder of
compiled encoders. Each asks the database for a classifier's latest state before it answers, and
writes a change only on top of it (``service/registry/lru.py``, ``latest.py``).

Uvicorn starts the processes, replaces those that die, and ends them on SIGTERM.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from filelock import FileLock
from uvicorn.config import STARTUP_FAILURE

from service.serving.configured import CutOff, configured
from service.serving.connections import ConnectionLimits, Connections
from service.serving.ending import drain_when_told
from service.serving.log import log
from service.serving.supervisor import Supervisor
from service.settings import Settings
from service.storage.lock import lock_database

if TYPE_CHECKING:
    from service.composition import Runtime

# Seconds after which a process that does not react is replaced. Loading libraries takes some; and
# as long the others are left alone where one dies at a bad moment.
_HANGS = 30
# Seconds before a process that cannot take the place of another ends, and is replaced in turn.
_PAUSE = 5


def serve_by_several(settings: Settings) -> None:
    """Serve until told to end; blocks.

    Raises:
        StorageError: The database is in use, or its folder cannot be written.
        OSError: Somebody listens on the port.
        SystemExit: The processes cannot start, or the port cannot be had; it was said why.
    """
    lock = lock_database(settings.sqlalchemy_url)
    try:
        with TemporaryDirectory(prefix="handful-processes-") as shared:
            # Read by prometheus_client when a process imports it.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            connections = Connections(ConnectionLimits.of(settings))
            config = configured(
                settings, connections, partial(_application, settings, Path(shared), connections)
            )
            config.timeout_worker_healthcheck = _HANGS
            listening = config.bind_socket()
            listening.listen(config.backlog)  # whoever else has the port is found out here
            supervisor = Supervisor(config, [listening])
            supervisor.run()
    finally:
        if lock is not None:
            lock.release()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


def _application(settings: Settings, shared: Path, connections: Connections) -> CutOff:
    """The application of one process."""
    give_up = partial(_give_up, shared)
    started = threading.Event()
    try:
        _end_with_parent()
        # A terminal sends SIGINT to all of them, and the one that started them sends SIGTERM on.
        drain_when_told(connections, settings.shutdown_seconds, started, on_interrupt=False)
        from service.api.app import create_app  # imports PyTorch

        log()
        _forget_the_dead(shared)
        return CutOff(create_app(settings, give_up, partial(_start_in_turn, shared, started)))
    except Exception as error:
        give_up(error)


def _start_in_turn(shared: Path, started: threading.Event, settings: Settings) -> Runtime:
    """The first process compiles the encoder; the others wait and find it compiled."""
    from service.composition import Runtime

    runtime = None
    with FileLock(shared / "compiling.lock"):
        if not _served(shared).exists():
            runtime = Runtime.start(settings)
            _served(shared).touch()
    runtime = runtime or Runtime.start(settings)
    started.set()
    return runtime


def _served(shared: Path) -> Path:
    """There as soon as any process could start."""
    return shared / "served"


def _give_up(shared: Path, error: Exception) -> NoReturn:
    """End this process; if none could start so far, by its exit status all of them."""
    from service.start_errors import tell  # imports PyTorch

    tell(error)
    sys.stderr.flush()
    if _served(shared).exists():
        time.sleep(_PAUSE)
        os._exit(1)
    os._exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    """End this process if the one that started it was killed, as if it had been itself."""

    def watch() -> None:
        if (parent := parent_process()) is not None:
            wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _forget_the_dead(shared: Path) -> None:
    """Take processes that were killed out of the gauges; others do it when they end."""
    from prometheus_client.multiprocess import mark_process_dead

    for pid in {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another process was quicker
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # it lives
