"""Multi-process mode: processes that share a port and an encoder, each with its own memory.

One process receives a thousand images a second at most, as Python runs one thread at a time; a GPU
encodes several thousand. What the processes share is the port, the database and the encoder
processes (``encoder_processes.py``), one a GPU. Each asks the database for a classifier's latest
state before it answers, and writes a change only on top of it (``service/registry/lru.py``,
``optimistic_concurrency.py``).

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

from adapters.collector import without_collections
from service.quotas.shared_meters import SharedMeters
from service.serving.connections import ConnectionLimits, Connections
from service.serving.encoder_processes import EncoderProcesses, encoder_path
from service.serving.graceful_shutdown import handle_termination_signals
from service.serving.logging_setup import configure_logging
from service.serving.server_config import CancelledAsEnded, server_config
from service.serving.supervisor import Supervisor
from service.settings import Settings
from service.storage.lock import lock_database
from service.telemetry.tracing import start_tracing

if TYPE_CHECKING:
    from adapters.recipe import ChooseRecipe, Recipe
    from service.composition import ServiceParts
    from service.encoder_process.remote import RemoteEncoder

# Seconds after which a process that does not react is replaced. Loading libraries takes some; and
# as long the others are left alone where one dies at a bad moment.
_HANGS = 30
# Seconds before a process that cannot take the place of another ends, and is replaced in turn.
_PAUSE = 5


def serve_with_processes(settings: Settings) -> None:
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
            config = server_config(
                settings, connections, partial(_application, settings, Path(shared), connections)
            )
            config.timeout_worker_healthcheck = _HANGS
            listening = config.bind_socket()
            listening.listen(config.backlog)  # whoever else has the port is found out here
            encoders = EncoderProcesses(settings, Path(shared))
            encoders.start()
            try:
                supervisor = Supervisor(config, [listening])
                supervisor.run()
            finally:
                encoders.end()
    finally:
        if lock is not None:
            lock.release()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


def _application(settings: Settings, shared: Path, connections: Connections) -> CancelledAsEnded:
    """The application of one process."""
    give_up = partial(_give_up, shared)
    started = threading.Event()
    try:
        configure_logging(settings)
        _end_with_parent()
        # A terminal sends SIGINT to all of them, and the one that started them sends SIGTERM on.
        handle_termination_signals(
            connections, settings.shutdown_seconds, started, on_interrupt=False
        )
        with without_collections():
            from service.api.app import create_app  # imports PyTorch
            from service.integrations import chosen

        _remove_dead_processes(shared)
        return CancelledAsEnded(
            create_app(
                settings,
                give_up,
                partial(_start_in_turn, shared, started),
                answer_while_starting=False,
                on_exit=_remove_this_process,
                meters=SharedMeters(shared / "rate-limits"),
                tracing=start_tracing("service"),
                integrations=chosen(settings),
            )
        )
    except Exception as error:
        give_up(error)


def _start_in_turn(shared: Path, started: threading.Event, settings: Settings) -> ServiceParts:
    """The first process makes the database; the others wait and find it made."""
    from service.composition import ServiceParts

    parts = None
    load = partial(_reach_encoder, shared)
    with FileLock(shared / "starting.lock"):
        if not _served(shared).exists():
            parts = ServiceParts.start(settings, load)
            _served(shared).touch()
    parts = parts or ServiceParts.start(settings, load)
    started.set()
    return parts


def _reach_encoder(
    shared: Path, settings: Settings, recipe: Recipe | ChooseRecipe
) -> RemoteEncoder:
    """Wait for the encoder processes to have loaded the backbone."""
    from service.encoder_process.remote import RemoteEncoder

    return RemoteEncoder(
        partial(encoder_path, shared), settings.processes, recipe, on_other=_end_of_process
    )


def _end_of_process(reason: str) -> NoReturn:
    """End this process, to be replaced: by one that looks whether all belongs together."""
    sys.stderr.write(f"error: {reason}\n")
    sys.stderr.flush()
    os._exit(1)


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


def _remove_this_process() -> None:
    """Take this process, which ends, out of the gauges, which are those of all."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def _remove_dead_processes(shared: Path) -> None:
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
