"""Several processes that serve one port, each with the encoder and a memory of its own.

One process receives a thousand images a second at most, as Python runs one thread at a time; a GPU
encodes several thousand. What the processes share is the port, the database and the folder of
compiled encoders. Each asks the database for a classifier's latest state before it answers, and
writes a change only on top of it (``service/classifiers/loaded.py``, ``latest.py``).

Uvicorn starts the processes, replaces those that die, and ends them on SIGTERM.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from multiprocessing.process import parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvicorn
from filelock import FileLock
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.serving.log import log
from service.settings import Settings
from service.storage.lock import lock_database

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.runtime import Runtime

# Seconds after which a process that does not react is replaced; loading a model takes some.
_HANGS = 120


def serve_by_several(settings: Settings) -> None:
    """Serve until told to end; blocks.

    Raises:
        StorageError: The database is in use, or its folder cannot be written.
        SystemExit: The processes cannot start, or the port is taken; it was said why.
    """
    lock = lock_database(settings.sqlalchemy_url)
    try:
        with TemporaryDirectory(prefix="handful-processes-") as shared:
            # Read by prometheus_client when a process imports it.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            config = uvicorn.Config(
                partial(_application, settings, Path(shared)),
                factory=True,
                host=settings.host,
                port=settings.port,
                workers=settings.processes,
                access_log=False,
                timeout_worker_healthcheck=_HANGS,
            )
            supervisor = Multiprocess(config, [config.bind_socket()])
            supervisor.run()
    finally:
        if lock is not None:
            lock.release()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise SystemExit(1)


def _application(settings: Settings, shared: Path) -> FastAPI:
    """The application of one process."""
    from service.api.app import create_app  # imports PyTorch

    log()
    _end_with_parent()
    _forget_the_dead(shared)
    return create_app(settings, _give_up, partial(_start_in_turn, shared))


def _start_in_turn(shared: Path, settings: Settings) -> Runtime:
    """The first process compiles the encoder; the others wait and find it compiled."""
    from service.runtime import Runtime

    compiled = shared / "compiled"
    with FileLock(shared / "compiling.lock"):
        if not compiled.exists():
            runtime = Runtime.start(settings)
            compiled.touch()
            return runtime
    return Runtime.start(settings)


def _give_up(error: Exception) -> None:
    """End this process and, by its exit status, all of them."""
    from service.cli.errors import fail

    with suppress(BaseException):
        fail(error)
    sys.stderr.flush()
    os._exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    """End this process in an orderly way if the one that started it is gone."""

    def watch() -> None:
        if (parent := parent_process()) is not None:
            multiprocessing.connection.wait([parent.sentinel])
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _forget_the_dead(shared: Path) -> None:
    """Take processes that were killed out of the gauges."""
    from prometheus_client.multiprocess import mark_process_dead

    for pid in {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
