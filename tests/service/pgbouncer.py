"""PgBouncer for tests, in transaction mode: each transaction has another session."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.service.clusters import HOST, Cluster

MISSING = "no PgBouncer here (apt-get install pgbouncer)"
_PATIENCE = 20.0


@contextmanager
def pooled(server: Cluster, sessions: int) -> Iterator[int]:
    """The port of a PgBouncer before a server; skips the test where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip(MISSING)
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    folder = server.folder.parent  # which the user of the servers may read
    settings, told = folder / f"pgbouncer-{port}.ini", folder / f"pgbouncer-{port}.log"
    settings.write_text(
        f"[databases]\n* = host={HOST} port={server.port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {sessions}\n"
        "ignore_startup_parameters = extra_float_digits\n"
    )
    # It does not run as root either.
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with told.open("wb") as log:
        running = subprocess.Popen(
            [*(user if os.geteuid() == 0 else []), program, "--quiet", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
            assert running.poll() is None, told.read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield port
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(_PATIENCE)
