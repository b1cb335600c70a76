"""Similarity histograms on common axes, so that before and after the correction can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from service.presentation.measure_schemas import OverlapOut

_NONE = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Histograms of same-class and different-class similarities, in the same equal intervals.

    Attributes:
        edges: Similarities where intervals begin and end, one more than there are.
        paired: Share of the same-class pairs in each.
        unpaired: Share of the different-class pairs.
        top: The highest share that is drawn on the same axes.
    """

    edges: list[float]
    paired: list[float]
    unpaired: list[float]
    top: float

    @property
    def shared(self) -> list[float]:
        """Overlap of both histograms: the smaller share in each interval."""
        return [min(pair) for pair in zip(self.paired, self.unpaired, strict=True)]


def histograms(overlaps: Sequence[OverlapOut]) -> list[Histogram]:
    """Histograms to draw, all with the same edges and the same top.

    Overlaps without pairs of both kinds are left out.
    """
    drawn = [one for one in overlaps if one.overlap is not None]
    if not drawn:
        return []
    step = max(_step(one) for one in drawn)
    merged = [_merged(one, step) for one in drawn]
    first = min(min(shares) for shares in merged)
    last = max(max(shares) for shares in merged) + 1
    top = max(max(pair) for shares in merged for pair in shares.values())
    numbers = range(first, last)
    return [
        Histogram(
            edges=[round(at * step, 6) for at in range(first, last + 1)],
            paired=[shares.get(at, _NONE)[0] for at in numbers],
            unpaired=[shares.get(at, _NONE)[1] for at in numbers],
            top=top,
        )
        for shares in merged
    ]


def _step(overlap: OverlapOut) -> float:
    """Bin width: of 2 or 4 intervals, so that few pairs do not look like a comb."""
    return 0.02 if min(overlap.n_paired, overlap.n_unpaired) >= 500 else 0.04


def _merged(overlap: OverlapOut, step: float) -> dict[int, tuple[float, float]]:
    """Shares of same-class and of different-class pairs, by the number of the bin."""
    merged: dict[int, tuple[float, float]] = {}
    for one in overlap.bins:
        at = floor((one.low + one.high) / 2 / step)
        paired, unpaired = merged.get(at, _NONE)
        merged[at] = (paired + one.paired, unpaired + one.unpaired)
    return merged
