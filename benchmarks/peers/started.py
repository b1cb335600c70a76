"""A peer that runs, with all its processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.load import Service, running
from benchmarks.peers.catalogue import Peer


@contextmanager
def started(peer: Peer, environment: Path) -> Iterator[Service]:
    """Start a peer, wait until it is ready, end all its processes at the end.

    Args:
        peer: To be started.
        environment: Where it is installed.

    Raises:
        NotStarted: It ended, or was not ready within three minutes.
    """
    scripts = environment / "bin"
    first, *rest = peer.command
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    family: list[psutil.Process] = []
    try:
        with running(
            [str(scripts / first), *rest], peer.ready, peer.environment | {"PATH": path}
        ) as service:
            try:
                yield service
            finally:
                family = psutil.Process(service.process.pid).children(recursive=True)
    finally:
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=10)


def memory(service: Service) -> float:
    """Memory of a server and of all its processes, what they share counted once: PSS, in MiB."""
    root = psutil.Process(service.process.pid)
    total = 0
    for process in (root, *root.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
