"""Mosquitto, a real broker, started for tests on a port of this machine, and started again."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = Path("/usr/sbin/mosquitto")
needed = pytest.mark.skipif(
    not PROGRAM.exists(), reason=f"the bridge needs the broker Mosquitto, which is not at {PROGRAM}"
)


@dataclass
class Mosquitto:
    """A broker for one test; passwords, where there are any, are those of one user."""

    folder: Path
    port: int
    user: str = ""
    password: str = ""
    process: subprocess.Popen[bytes] | None = None
    logs: int = field(default=0)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.logs += 1
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(not self.user).lower()}"]
        if self.user:
            passwords = self.folder / "passwords"
            passwords.write_text(f"{self.user}:{self.password}\n")
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
            # It would lay down the rights of root, by which it reads what only this user may.
            lines += [f"password_file {passwords}", "user root"]
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        with (self.folder / f"mosquitto-{self.logs}.log").open("wb") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", configuration], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline
                assert self.process.poll() is None, log.name
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@contextmanager
def broker(folder: Path, user: str = "", password: str = "") -> Iterator[Mosquitto]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Mosquitto(folder, port, user, password)
    running.start()
    try:
        yield running
    finally:
        running.stop()
