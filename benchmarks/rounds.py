"""Figures of several rounds, in each of which everything is measured once after one another.

The machine is busy with other things at times; within a round both sides of a ratio see the same
of that, nearly.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def ratios(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """The median of each round's ratio, with the lowest and the highest."""
    found = [a / b for a, b in zip(over, under, strict=True)]
    return {"ratio": statistics.median(found), "lowest": min(found), "highest": max(found)}
