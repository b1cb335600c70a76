"""``handful`` in a process forked from one that has imported the service.

Importing PyTorch, transformers and OpenVINO takes several times as long as starting a service with
a small backbone. Python's fork server imports them once. It runs one thread and computes nothing,
so forking it is safe. The command, its arguments, environment, signals and exit status are those of
an installed one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from subprocess import TimeoutExpired

from service import cli
from service.api import app as api
from service.cli import app
from service.serving import single_process

_context = multiprocessing.get_context("forkserver")
# By their own names: the fork server says nothing of a module that it does not find.
_context.set_forkserver_preload([module.__name__ for module in (single_process, api, cli)])
# The exit status can be read once: by one thread.
_exclusive = threading.Lock()


class ForkedHandful:
    """The running command, with those methods of ``subprocess.Popen`` that tests need."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        errors: Path,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start it; what it writes is appended to these files.

        Args:
            before: Called first of all, in the process; a function of a module.
        """
        self._process = _context.Process(
            target=_run, args=(list(arguments), dict(environment), output, errors, before)
        )
        with _exclusive:
            self._process.start()

    @property
    def pid(self) -> int:
        """Its number; also after its end."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, negative if a signal ended it; None while it runs."""
        with _exclusive:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status.

        Raises:
            TimeoutExpired: It still runs after these seconds.
        """
        if not wait([self._process.sentinel], timeout):
            raise TimeoutExpired("handful", timeout or 0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """Send it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _run(
    arguments: list[str],
    environment: dict[str, str],
    output: Path,
    errors: Path,
    before: Callable[[], None] | None = None,
) -> None:
    """Be ``handful`` from here on."""
    # Processes of its own it starts as an installed one does.
    multiprocessing.set_start_method(None, force=True)
    os.environ.clear()
    os.environ.update(environment)
    for stream, file in ((sys.stdout, output), (sys.stderr, errors)):
        opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(opened, stream.fileno())
        os.close(opened)
    sys.argv = ["handful", *arguments]
    if before is not None:
        before()
    app()
