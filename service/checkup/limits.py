"""Limits of the process and of its container: files, processes, memory, processors."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from service.checkup.finding import Finding, ok, warning
from service.settings import Settings

_GROUP = Path("/sys/fs/cgroup")
_SHARED = Path("/dev/shm")  # noqa: S108 - looked at alone
# Files beside connections.
_OTHERS = 256
# A service with the default backbone takes about as much.
_LEAST_MEMORY = 2 * 2**30


def look_at_limits(settings: Settings) -> Iterator[Finding]:
    """Look at what the kernel allows."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + _OTHERS
    told = f"open files: {_number(files)}"
    if files != resource.RLIM_INFINITY and files < wanted:
        yield warning(
            f"{told}, for {settings.max_connections} connections",
            f"ulimit -n {wanted}, LimitNOFILE={wanted}, or lower HANDFUL_MAX_CONNECTIONS",
        )
    else:
        yield ok(told)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    told = f"processes and threads: {_number(processes)}"
    if processes != resource.RLIM_INFINITY and processes < 512:
        yield warning(told, "ulimit -u 4096: a service has some hundred threads")
    else:
        yield ok(told)
    yield from _memory(settings)
    yield _processors()
    yield from _shared_memory(settings)


def _memory(settings: Settings) -> Iterator[Finding]:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = _bytes("memory.max", "memory/memory.limit_in_bytes")
    most = whole if allowed is None else min(whole, allowed)
    told = f"memory: {most / 2**30:.1f} GiB" + (" (cgroup)" if most < whole else "")
    classifiers = settings.classifier_memory
    if most < _LEAST_MEMORY:
        yield warning(told, "give it 2 GiB or more")
    elif classifiers > most / 2:
        yield warning(
            f"{told}, and HANDFUL_CLASSIFIER_MEMORY is {classifiers / 2**30:.1f} GiB",
            "lower HANDFUL_CLASSIFIER_MEMORY: the encoder and requests need some, too",
        )
    else:
        yield ok(told)


def _processors() -> Finding:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota()
    if quota is not None and here is not None and quota < here:
        return warning(
            f"processors: {here}, of which a quota leaves {quota:g} (cgroup)",
            "set OMP_NUM_THREADS to the quota: more threads than that wait for each other",
        )
    return ok(f"processors: {here}")


def _quota() -> float | None:
    """Processors that the container may use; None: as many as there are."""
    try:
        quota, period = (_GROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota = (_GROUP / "cpu/cpu.cfs_quota_us").read_text()
        period = (_GROUP / "cpu/cpu.cfs_period_us").read_text()
        return None if int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _shared_memory(settings: Settings) -> Iterator[Finding]:
    try:
        of = os.statvfs(_SHARED)
    except OSError:
        yield ok(f"{_SHARED}: there is none")
        return
    size = of.f_blocks * of.f_frsize
    told = f"{_SHARED}: {size / 2**20:.0f} MiB"
    if settings.processes > 1 and size < 64 * 2**20:
        yield warning(told, "give the container more (--shm-size) for several processes")
    else:
        yield ok(told)


def _bytes(*names: str) -> int | None:
    for name in names:
        try:
            return int((_GROUP / name).read_text())
        except (OSError, ValueError):  # "max", or another version of cgroups
            continue
    return None


def _number(limit: int) -> str:
    return "no limit" if limit == resource.RLIM_INFINITY else str(limit)
