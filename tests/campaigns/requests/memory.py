"""Memory of a process: what it has to itself, and whether it grows; and its processor time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import psutil

MIB = 2**20
SLACK = 24 * MIB
"""Bytes by which allocators' leftovers may differ between two moments of one service."""


def memory_of(pid: int) -> int:
    """Bytes of a process: its proportional set (PSS), which counts what is shared once for all."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell of a proportional set")


def processor_seconds(pid: int) -> float:
    """Seconds that a process has computed, in all of its threads."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def growth(samples: Sequence[int]) -> int | None:
    """Bytes that a process has grown by, as moments at rest show it; None: of fewer than four.

    The least of the last quarter beside the least of the second one: in the first quarter all is
    loaded and filled that is loaded and filled once, and what is in use at a moment can only add.
    """
    quarter = len(samples) // 4
    if quarter == 0:
        return None
    return min(samples[-quarter:]) - min(samples[quarter : 2 * quarter])


def slope(places: Sequence[int], samples: Sequence[int]) -> float:
    """Bytes a request, by the median of the slopes between all pairs (Theil and Sen), without
    the first quarter."""
    begin = len(samples) // 4
    pairs = list(zip(places[begin:], samples[begin:], strict=True))
    slopes = [
        (later[1] - one[1]) / (later[0] - one[0])
        for one, later in combinations(pairs, 2)
        if later[0] > one[0]
    ]
    return statistics.median(slopes) if slopes else 0.0
