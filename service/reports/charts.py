"""The curves of a report as SVG paths, to be put into the page where its colours reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor

from service.reports.schemas import CalibrationOut, OverlapOut

#: Size of a chart, in the units of its paths.
WIDTH, HEIGHT = 460.0, 170.0
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the horizontal axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class HistogramChart:
    """Two histograms over each other, and the area under both."""

    paired: str
    unpaired: str
    shared: str
    ticks: list[Tick]


def step_of(overlap: OverlapOut) -> float:
    """Width of a bar: of 2 or 4 intervals, so that few pairs do not look like a comb."""
    return 0.02 if min(overlap.n_paired, overlap.n_unpaired) >= 500 else 0.04


def histogram_chart(overlap: OverlapOut) -> HistogramChart:
    """Draw the histograms as steps."""
    step = step_of(overlap)
    merged = {
        at: (sum(b.paired for b in group), sum(b.unpaired for b in group))
        for at, group in (
            (at, list(some))
            for at, some in groupby(overlap.bins, lambda b: floor((b.low + b.high) / 2 / step))
        )
    }
    first, last = min(merged), max(merged) + 1
    top = max(max(pair) for pair in merged.values())
    paired, unpaired = (
        [merged.get(at, (0.0, 0.0))[i] / top for at in range(first, last)] for i in (0, 1)
    )
    shared = [min(a, b) for a, b in zip(paired, unpaired, strict=True)]
    return HistogramChart(
        _steps(paired), _steps(unpaired), _steps(shared), _ticks(first * step, last * step)
    )


def _steps(heights: Sequence[float]) -> str:
    """Path of a histogram whose highest bar could reach the top."""
    width = WIDTH / len(heights)
    path = [f"M0 {HEIGHT:.0f}"]
    for i, height in enumerate(heights):
        path.append(f"V{HEIGHT * (1 - 0.96 * height):.1f}H{(i + 1) * width:.1f}")
    return "".join([*path, f"V{HEIGHT:.0f}Z"])


def _ticks(low: float, high: float) -> list[Tick]:
    """Round numbers between two, about as many as are easily read."""
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= _TICKS)
    return [
        Tick((i * step - low) / (high - low) * WIDTH, f"{i * step:.2f}".rstrip("0").rstrip("."))
        for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]


@dataclass(frozen=True, slots=True)
class Dot:
    """Votes of about the same confidence: where, how large, and what it says."""

    x: float
    y: float
    radius: float
    text: str


def calibration_dots(calibration: CalibrationOut) -> list[Dot]:
    """One dot for each interval of confidence, on a square; its area is the number of votes."""
    most = max((one.count for one in calibration.bins), default=1)
    return [
        Dot(
            WIDTH * one.confidence,
            WIDTH * (1 - one.accuracy),
            4 + 14 * (one.count / most) ** 0.5,
            f"{one.count} images, {100 * one.confidence:.0f} % sure: "
            f"{100 * one.accuracy:.0f} % right",
        )
        for one in calibration.bins
    ]
