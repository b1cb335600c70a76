"""What a process holds: memory, files, threads, connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.load.service import kilobytes


def usage(pid: int) -> Mapping[str, float]:
    """Resident and proportional memory in MiB, open files, threads, sockets."""
    process = Path("/proc") / str(pid)
    memory = kilobytes(process / "smaps_rollup")
    targets = []
    for file in (process / "fd").iterdir():
        try:
            targets.append(os.readlink(file))
        except FileNotFoundError:
            continue  # closed meanwhile
    return {
        "rss MiB": memory["Rss"] / 1024,
        "pss MiB": memory["Pss"] / 1024,
        "files": len(targets),
        "threads": len(list((process / "task").iterdir())),
        "sockets": sum(target.startswith("socket:") for target in targets),
    }
