"""A server of any kind as a subprocess."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.process import ROOT

PORT = "{port}"
_PATIENCE = 600.0
_TURN = 0.02


class NotStarted(RuntimeError):
    """A server did not become ready; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running server.

    Attributes:
        process: Its process.
        port: On 127.0.0.1.
        log: What it wrote.
        listening: Seconds from the start of the process to the first answer of any kind.
        ready: Seconds to the first good answer of the address that tells.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    listening: float
    ready: float

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> dict[str, float]:
        """Resident, proportional and highest resident memory of the process, in MiB."""
        process = Path("/proc") / str(self.process.pid)
        fields = kilobytes(process / "smaps_rollup") | kilobytes(process / "status")
        return {
            "rss": fields["Rss"] / 1024,
            "pss": fields["Pss"] / 1024,
            # Counted less exactly than what is resident now, and a few pages less at times.
            "peak rss": max(fields["VmHWM"], fields["Rss"]) / 1024,
        }

    def processor(self) -> float:
        """Processor seconds of the process until now, all threads."""
        fields = (Path("/proc") / str(self.process.pid) / "stat").read_text().rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(
    command: Sequence[str], ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Start a server, wait until it is ready, stop it at the end.

    Args:
        command: What to run, in the root of the repository; ``{port}`` in it becomes a free port.
        ready: Path that is answered with 200 once it can serve.
        environment: Variables that it gets besides this process's.

    Raises:
        NotStarted: It ended, or was not ready within ten minutes.
    """
    port = _free_port()
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory(prefix="handful-benchmark-") as folder:
        log = Path(folder) / "log"
        begun = time.perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [word.replace(PORT, str(port)) for word in command],
                env={**os.environ, "PYTHONPATH": path, **(environment or {})},
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            times = _wait(process, port, ready, log, begun)
            yield Service(process, port, log, *times)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(
    process: subprocess.Popen[bytes], port: int, ready: str, log: Path, begun: float
) -> tuple[float, float]:
    listening: float | None = None
    while process.poll() is None and time.perf_counter() - begun < _PATIENCE:
        status = _status(port, ready)
        now = time.perf_counter() - begun
        if status is not None and listening is None:
            listening = now
        if status == http.client.OK and listening is not None:
            return listening, now
        time.sleep(_TURN)
    said = log.read_text(errors="replace")[-4000:]
    raise NotStarted(f"{process.args!r} is not ready (exit status {process.poll()}):\n{said}")


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def kilobytes(file: Path) -> dict[str, int]:
    """The fields of a file of /proc that are given in kB."""
    fields = {}
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            fields[name] = int(value.split()[0])
    return fields
