"""A version of the code, used from outside: its command line, and its service on a port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.golden.exchange import Answer, Request, send
from tests.campaigns.golden.pictures import write_folders

_START_SECONDS = 180
_LONGEST_SECONDS = 1800
_ALONE = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""With one thread sums are taken in one order."""


class CodeError(RuntimeError):
    """The code did not run as it has to for a recording."""


@dataclass(frozen=True)
class Code:
    """A checked-out version.

    Attributes:
        folder: With the packages `service` and `adapters`.
        work: Where commands run, and where relative paths begin. Models that are compiled and
            features are kept below it, so that each version makes its own.
    """

    folder: Path
    work: Path

    def check(self) -> None:
        """See that this version is the one that runs.

        Raises:
            CodeError: Another one is found first.
        """
        found = subprocess.run(
            [sys.executable, "-c", "import adapters, service\nprint(service.__file__)"],
            cwd=self.work,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if not found.stdout.startswith(f"{self.folder}{os.sep}"):
            raise CodeError(f"not the code of {self.folder}: {found.stdout}{found.stderr}")

    def forget_compiled(self) -> None:
        """Let models be compiled anew.

        A model that was compiled in the process differs in the last digits from the same one
        when it is read from the disk, so it has to be known which one answers.
        """
        shutil.rmtree(self.work / "cache" / "handful", ignore_errors=True)

    def warm(self) -> None:
        """Compile the default backbone, so that all processes from now on read it from the disk.

        Raises:
            CodeError: It cannot be evaluated.
        """
        write_folders(self.work / "warm", 1)
        done = self.handful(
            *("evaluate", "warm", "--shots", "1", "--seeds", "1", "--methods", "zero-shot"),
            "--no-cache",
        )
        if done.returncode != 0:
            raise CodeError(done.stderr)

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of a process; settings are those of ``HANDFUL_...``, in small letters."""
        outer = {name: value for name, value in os.environ.items() if "HANDFUL" not in name}
        return {
            **outer,
            **dict.fromkeys(_ALONE, "1"),
            "PYTHONPATH": str(self.folder),
            "XDG_CACHE_HOME": str(self.work / "cache"),
            "CUDA_VISIBLE_DEVICES": "",
            "TOKENIZERS_PARALLELISM": "false",
            "COLUMNS": "100",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            **{f"HANDFUL_{name.upper()}": str(value) for name, value in settings.items()},
        }

    def handful(self, *arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.work,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )

    @contextmanager
    def serving(self, data: Path, log: Path, **settings: object) -> Iterator[Service]:
        """Run the service on a folder; it is asked to end afterwards.

        Raises:
            CodeError: It does not become ready.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            begin = output.tell()
            process = subprocess.Popen(
                self._command(["serve", "--port", port, "--data-dir", data]),
                cwd=self.work,
                env=self.environment(**settings),
                stdout=output,
                stderr=output,
            )
            service = Service(process, port)
            try:
                service.wait_until_ready(log, begin)
                yield service
            finally:
                process.send_signal(signal.SIGTERM)
                service.exit_status = process.wait(timeout=60)
        service.tracebacks = log.read_bytes()[begin:].count(b"Traceback")

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return [sys.executable, "-m", "service.cli", *map(str, arguments)]


@dataclass
class Service:
    """A running service.

    Attributes:
        exit_status: When it has ended.
        tracebacks: In its log, when it has ended.
    """

    process: subprocess.Popen[bytes]
    port: int
    exit_status: int | None = None
    tracebacks: int | None = None

    def send(self, request: Request) -> Answer:
        """Ask it on a connection of its own."""
        return send(self.port, request)

    def wait_until_ready(self, log: Path, begin: int) -> None:
        """Wait until it can answer.

        Raises:
            CodeError: It has ended, or takes too long.
        """
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                if self.send(Request("GET", "/readyz")).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise CodeError(f"the service is not ready:\n{log.read_bytes()[begin:].decode()[-4000:]}")
