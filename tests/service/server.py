"""A real ``handful serve`` as a subprocess, to be talked to, killed and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import httpx2 as httpx

from tests.ranks import environments
from tests.service.forked import ForkedHandful

HANDFUL = Path(sys.executable).with_name("handful")
_PATIENCE = 240.0


def run_handful(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; for what is expected to end by itself."""
    [done] = _run_together(arguments, [_environment(settings)])
    return done


def run_ranks(number: int, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """Run the command in so many processes that are one run, with what torchrun tells each."""
    return _run_together(arguments, [_environment({}) | rank for rank in environments(number)])


def _run_together(
    arguments: Sequence[str], environments: Sequence[dict[str, str]]
) -> list[subprocess.CompletedProcess[str]]:
    with TemporaryDirectory(prefix="handful-run-") as folder, ExitStack() as stack:
        files = [Path(folder) / str(i) for i in range(len(environments))]
        running = []
        for environment, file in zip(environments, files, strict=True):
            output, errors = file.with_suffix(".output"), file.with_suffix(".errors")
            one = ForkedHandful(arguments, environment, output, errors)
            stack.callback(one.kill)
            running.append(one)
        return [
            subprocess.CompletedProcess(
                ["handful", *arguments],
                one.wait(_PATIENCE),
                file.with_suffix(".output").read_text(),
                file.with_suffix(".errors").read_text(),
            )
            for one, file in zip(running, files, strict=True)
        ]


def run_installed(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """As `run_handful`, for a command that starts processes of its own: not forked."""
    return subprocess.run(
        [HANDFUL, *arguments],
        env=_environment(settings),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


@dataclass
class Server:
    """A running service. Settings are those of ``HANDFUL_...``, in small letters."""

    process: subprocess.Popen[bytes] | ForkedHandful
    data_dir: Path
    log: Path
    url: str

    @classmethod
    def listening(cls, data_dir: Path, **settings: object) -> Server:
        """Start the service and wait until it listens; it may not be ready yet.

        It is forked, but for several processes, of which the first starts the others anew.
        """
        return cls._listening(data_dir, settings, forked=settings.get("processes", 1) == 1)

    @classmethod
    def ready(cls, data_dir: Path, **settings: object) -> Server:
        """Start the service and wait until it can answer."""
        server = cls.listening(data_dir, **settings)
        server.wait_until_ready()
        return server

    @classmethod
    def installed(cls, data_dir: Path) -> Server:
        """Start the installed command with default settings and wait until it can answer."""
        server = cls._listening(data_dir, {}, forked=False)
        server.wait_until_ready()
        return server

    @classmethod
    def planted(
        cls, data_dir: Path, before: Callable[[], None] | None, **settings: object
    ) -> Server:
        """As `ready`, with something that is done in its process before it starts."""
        server = cls._listening(data_dir, settings, forked=True, before=before)
        server.wait_until_ready()
        return server

    @classmethod
    def under(cls, data_dir: Path, environment: Mapping[str, str], **settings: object) -> Server:
        """As `ready`, not forked, with more in its environment: for what is preloaded."""
        server = cls._listening(data_dir, settings, forked=False, environment=environment)
        server.wait_until_ready()
        return server

    @classmethod
    def _listening(
        cls,
        data_dir: Path,
        settings: dict[str, object],
        *,
        forked: bool,
        before: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        data_dir.mkdir(parents=True, exist_ok=True)
        log = data_dir / "server.log"
        log.touch()
        begin = log.stat().st_size
        command = ["serve", "--port", "0", "--data-dir", str(data_dir)]
        process: subprocess.Popen[bytes] | ForkedHandful
        if forked:
            process = ForkedHandful(command, _environment(settings), log, log, before)
        else:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [HANDFUL, *command],
                    env={**_environment(settings), **(environment or {})},
                    stdout=output,
                    stderr=output,
                )
        server = cls(process, data_dir, log, "")
        for _ in server._waiting("listening"):
            text = log.read_bytes()[begin:].decode()
            if found := re.search(r"running on (http://[\d.]+:\d+)", text):
                server.url = found[1]
                break
        return server

    def wait_until_ready(self) -> None:
        with self.client() as http:
            for _ in self._waiting("ready"):
                with suppress(httpx.ConnectError):  # several processes listen once one is ready
                    if http.get("/readyz").status_code == 200:
                        return

    def client(self, kept: int = 100) -> httpx.Client:
        """A client with connections of its own, enough for many threads.

        Of a service that closes idle ones soon none should be ``kept``, or the next request may
        meet the end of one.
        """
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=kept)
        return httpx.Client(base_url=self.url, timeout=_PATIENCE, limits=limits)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, as a process supervisor does; returns the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.kill()

    def _waiting(self, what: str) -> Iterator[None]:
        """Turns of a wait that raises when there is nothing to wait for any more."""
        deadline = time.monotonic() + _PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            yield
        status = self.process.poll()
        self.process.kill()
        log = self.log.read_text()[-4000:]
        raise RuntimeError(f"the server is not {what} (exit status {status}):\n{log}")


def _environment(settings: dict[str, object]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDFUL_")}
    kept["HANDFUL_PRECISION"] = "float32"  # answers are the same on every machine
    return kept | {f"HANDFUL_{name.upper()}": str(value) for name, value in settings.items()}
