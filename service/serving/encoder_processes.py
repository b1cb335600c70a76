"""The encoder processes of a service, one a device, started and started again."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from adapters.collector import without_collections
from service.serving.logging_setup import configure_logging
from service.settings import Settings
from service.telemetry.tracing import Tracing, start_tracing

logger = logging.getLogger("handful")

_spawn = multiprocessing.get_context("spawn")
PROCESS_NAME = "handful-encoder"
"""What an encoder process is called in lists of processes."""
# Of processes that connect at the same time.
_BACKLOG = 1024
# Seconds within which a process that dies is not started again at once: it may never be able to.
_SOON = 5.0
# Seconds in which a process ends that is told to.
_ENDS = 1.0


def encoder_path(folder: Path, number: int) -> Path:
    """Where an encoder process listens."""
    return folder / f"encoder-{number}"


class EncoderProcesses:
    """Supervises the encoder processes; they end with the process that this object is in.

    The first one tells how many there are to be: as many as GPUs. Their sockets are kept open here,
    so that whoever connects while one is started again is accepted by the next.

    Args:
        settings: All of them.
        folder: For the sockets; nobody else's.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._processes: list[_EncoderProcess] = []
        self._ending = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the first one, which starts the others."""
        self._add()
        threading.Thread(target=self._watch, name="encoders", daemon=True).start()

    def end(self) -> None:
        """End them all; for when nobody needs them any more."""
        self._ending.set()
        with self._lock:
            for process in self._processes:
                process.end()

    def _add(self) -> None:
        number = len(self._processes)
        path = encoder_path(self._folder, number)
        self._processes.append(_EncoderProcess(self._settings, path, number))

    def _watch(self) -> None:
        while not self._ending.is_set():
            processes = list(self._processes)
            ready = wait([each.process.sentinel for each in processes] + [processes[0].told])
            with self._lock:
                if self._ending.is_set():
                    return
                if processes[0].told in ready:
                    for _ in range(len(self._processes), processes[0].encoders()):
                        self._add()
                for each in processes:
                    if each.process.sentinel in ready:
                        each.start_again(self._ending)


class _EncoderProcess:
    def __init__(self, settings: Settings, path: Path, number: int) -> None:
        self._settings = settings
        self._number = number
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(_BACKLOG)
        self._start()

    def encoders(self) -> int:
        """How many encoder processes there are to be, as this one has told; 0 if it died first."""
        try:
            return int(self.told.recv_bytes())
        except (EOFError, OSError):
            return 0

    def start_again(self, ending: threading.Event) -> None:
        self.process.join()
        logger.error(
            "encoder process [%d] died (exit status %s) and is started again",
            self.process.pid,
            self.process.exitcode,
        )
        if time.monotonic() - self._started < _SOON:
            ending.wait(_SOON)
        if not ending.is_set():
            self.told.close()
            self._start()

    def end(self) -> None:
        self.told.close()
        self.process.join(_ENDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self._listening.close()

    def _start(self) -> None:
        self._started = time.monotonic()
        self.told, its = _spawn.Pipe()
        self.process: SpawnProcess = _spawn.Process(
            target=_run, args=(self._settings, self._listening, its, self._number), name="encoder"
        )
        self.process.start()
        its.close()


def _run(settings: Settings, listening: socket.socket, supervisor: Connection, number: int) -> None:
    with suppress(OSError):  # what ps and top call it, where there is such a file
        Path("/proc/self/comm").write_text(PROCESS_NAME)
    # Signals that are sent to all processes of a service are left to the others, which answer to
    # their last request; this one ends with who started it.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    configure_logging(settings)
    tracing = start_tracing("encoder")
    ends = (supervisor, tracing)
    threading.Thread(target=_end_with, args=ends, name="supervisor", daemon=True).start()
    with without_collections():
        from service.encoder_process.process import encode_for_all  # imports PyTorch

    encode_for_all(settings, listening, supervisor, number)


def _end_with(supervisor: Connection, tracing: Tracing | None) -> None:
    wait([supervisor])  # nothing is ever sent: it is the end
    if tracing is not None:
        tracing.close(_ENDS / 2)
    os._exit(0)
