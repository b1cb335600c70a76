"""PostgreSQL servers for tests: made by initdb in memory, gone with the tests that wanted them.

A server does not run as root, so root makes and runs it as the user ``postgres``.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock

HOST = "127.0.0.1"
MISSING = "no PostgreSQL here (apt-get install postgresql)"
# The first process of the tests, with whose end the servers end; its workers read it.
_OWNER = "TESTS_OF_HANDFUL"
# What is lost with the machine may be: nothing waits for a disk. A commit survives its server.
_SETTINGS: Mapping[str, object] = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": 300,
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "wal_level": "replica",
    "listen_addresses": HOST,
}
_ROOM = 2**30


@dataclass(frozen=True)
class Cluster:
    """A server with a data folder and a port of its own."""

    folder: Path
    port: int

    @classmethod
    def made(cls, folder: Path, **settings: object) -> Cluster:
        """A new server, which runs; its user is ``postgres``, whom it trusts."""
        pristine = _servers() / "pristine"
        with FileLock(f"{pristine}.lock"):
            if not pristine.exists():
                _as_postgres(
                    "initdb", "--pgdata", f"{pristine}.new", "--username=postgres", "--auth=trust",
                    "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "--wal-segsize=1",
                )  # fmt: skip
                Path(f"{pristine}.new").rename(pristine)
        _run("cp", "--recursive", "--preserve", str(pristine), str(folder))
        server = cls(folder, _free_port())
        server.configure(**{**_SETTINGS, **settings})
        server.start()
        return server

    def standby(self, folder: Path, port: int | None = None) -> Cluster:
        """A hot standby of this one (pg_basebackup), which runs, on a port of its own or this."""
        name = folder.name.replace("-", "_")
        _as_postgres(
            "pg_basebackup", "--pgdata", str(folder), "--checkpoint=fast", "--no-sync",
            "--write-recovery-conf", "--create-slot", f"--slot={name}",
            "--dbname", f"{self.conninfo()} application_name={name}",
        )  # fmt: skip
        server = Cluster(folder, port or _free_port())
        server.configure()
        server.start()
        return server

    def configure(self, **settings: object) -> None:
        """Write down what the server is to be started with."""
        with (self.folder / "postgresql.auto.conf").open("a") as file:
            for name, value in {**settings, "port": self.port}.items():
                file.write(f"{name} = '{value}'\n")
            file.write(f"unix_socket_directories = '{self.folder.parent}'\n")

    def start(self) -> None:
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is as a crash."""
        self._control("stop", "-w", "-m", mode)

    def restart(self, mode: str = "immediate") -> None:
        self._control("restart", "-w", "-m", mode, "-l", str(self.folder / "log"))

    def reload(self) -> None:
        """Read the settings again."""
        self._control("reload")

    def promote(self) -> None:
        """Make a standby the primary."""
        self._control("promote", "-w")

    def conninfo(self, database: str = "postgres") -> str:
        return f"host={HOST} port={self.port} user=postgres dbname={database} connect_timeout=3"

    def administrator(self, database: str = "postgres") -> psycopg.Connection:
        """A connection that commits each statement."""
        return psycopg.connect(self.conninfo(database), autocommit=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@{HOST}:{self.port}/{database}"

    def _control(self, *arguments: str) -> None:
        _as_postgres("pg_ctl", "--pgdata", str(self.folder), *arguments)


@functools.cache
def shared() -> Cluster:
    """The one server that all workers' databases are on; skips the test where there can be none."""
    folder = _servers() / "shared"
    told = folder.with_suffix(".port")
    with FileLock(f"{folder}.lock"):
        if not told.exists():
            told.write_text(str(Cluster.made(folder).port))
    return Cluster(folder, int(told.read_text()))


@contextmanager
def own_cluster(name: str, **settings: object) -> Iterator[Cluster]:
    """A server for tests that stop it or change its settings."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_servers())) / name
    _give(folder.parent)
    made = Cluster.made(folder, **settings)
    try:
        yield made
    finally:
        with suppress(RuntimeError):  # the test has stopped it
            made.stop()
        shutil.rmtree(folder.parent)


def program(name: str) -> str:
    """A program of PostgreSQL, of the newest version; skips the test where there is none."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = sorted(versions, key=lambda path: int(path.parts[4]))
    found = str(newest[-1]) if newest else shutil.which(name)
    if found is None:
        pytest.skip(MISSING)
    return found


def own_by_this_process() -> None:
    """Let the servers end with this process, unless it is a worker of another one."""
    os.environ.setdefault(_OWNER, str(os.getpid()))


@functools.cache
def _servers() -> Path:
    """The folder of all servers, in memory if there is room; a shell removes it after the tests."""
    program("initdb")
    own_by_this_process()
    owner = os.environ[_OWNER]
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    folder = (memory if roomy else Path(tempfile.gettempdir())) / f"handful-tests-{owner}"
    with FileLock(Path(tempfile.gettempdir()) / f"{folder.name}.lock"):
        if not folder.exists():
            folder.mkdir()
            _give(folder)
            subprocess.Popen(
                ["sh", "-c", _UNTIL_THE_OWNER_ENDS, "sh", owner, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    return folder


_UNTIL_THE_OWNER_ENDS = """
while [ -d "/proc/$1" ]; do sleep 1; done
for file in "$2"/*/postmaster.pid "$2"/*/*/postmaster.pid; do
    [ -e "$file" ] && kill -QUIT "$(head -n 1 "$file")"
done
sleep 1
rm -rf "$2" "${TMPDIR:-/tmp}/${2##*/}.lock"
"""


def _give(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def _as_postgres(name: str, *arguments: str) -> None:
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    _run(*(user if os.geteuid() == 0 else []), program(name), *arguments)


def _run(*command: str) -> None:
    # Not by a pipe: what a server inherits would be open for as long as it runs.
    with tempfile.TemporaryFile() as told:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, cwd="/", check=False
        )
        if done.returncode != 0:
            told.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {told.read().decode()}")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
