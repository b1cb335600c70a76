"""A real ``handful serve --ray`` as a subprocess, whose replicas are found and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx2 as httpx
import psutil

from tests.service.server import HANDFUL

PATIENCE = 240.0


class RayServer:
    """A running service.

    Args:
        folder: For its data and its log.
        settings: Those of ``HANDFUL_...``, in small letters.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.log = folder / "ray.log"
        environment = os.environ | {
            f"HANDFUL_{name.upper()}": str(value) for name, value in settings.items()
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [HANDFUL, "serve", "--ray", "--port", "0", "--data-dir", str(folder / "data")],
                env=environment,
                stdout=output,
                stderr=output,
            )
        self.url = ""

    def __enter__(self) -> Self:
        try:
            found = until(lambda: self._running_on() or self.process.poll() is not None)
            assert isinstance(found, str), self.log.read_text()
            self.url = found
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        """Processes of a deployment's replicas that have begun to work."""
        name = f"ray::ServeReplica:handful:{deployment}"
        return [one for one in self.family() if called(one).startswith(name)]

    def family(self) -> list[psutil.Process]:
        """All processes that it has started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        """Ask it to end, as a process supervisor does; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _running_on(self) -> str | None:
        found = re.search(r"running on (http://[\d.]+:\d+)", self.log.read_text())
        return found and found[1]


def until(true: object, seconds: float = PATIENCE) -> object:
    """Wait for what a function returns to be true; returns it."""
    assert callable(true)
    ends = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.05)
    return value


def called(process: psutil.Process) -> str:
    """Its command line, or what it has called itself."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
