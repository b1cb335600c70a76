"""Similarity histograms and reliability diagram as SVG paths.

They are put into the page, where its colours reach them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from service.presentation.measure_schemas import OverlapOut
from service.presentation.similarity_histograms import histograms
from service.reports.schemas import CalibrationOut

#: Size of a chart, in the units of its paths.
WIDTH, HEIGHT = 460.0, 170.0
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """Tick mark on the horizontal axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class HistogramChart:
    """SVG paths of two histograms over each other, and of the area under both."""

    paired: str
    unpaired: str
    shared: str
    ticks: list[Tick]


def histogram_charts(overlaps: Sequence[OverlapOut]) -> list[HistogramChart]:
    """Similarity histograms as steps, on the same axes; those without pairs are left out."""
    return [
        HistogramChart(
            paired=_path(one.paired, one.top),
            unpaired=_path(one.unpaired, one.top),
            shared=_path(one.shared, one.top),
            ticks=_ticks(one.edges[0], one.edges[-1]),
        )
        for one in histograms(overlaps)
    ]


def _path(shares: Sequence[float], top: float) -> str:
    """Path of a histogram as steps; a bar of the share ``top`` nearly reaches the upper edge."""
    width = WIDTH / len(shares)
    path = [f"M0 {HEIGHT:.0f}"]
    for i, share in enumerate(shares):
        path.append(f"V{HEIGHT * (1 - 0.96 * share / top):.1f}H{(i + 1) * width:.1f}")
    return "".join([*path, f"V{HEIGHT:.0f}Z"])


def _ticks(low: float, high: float) -> list[Tick]:
    """Round numbers between two, about as many as are easily read."""
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= _TICKS)
    return [
        Tick((i * step - low) / (high - low) * WIDTH, f"{i * step:.2f}".rstrip("0").rstrip("."))
        for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    ]


@dataclass(frozen=True, slots=True)
class ReliabilityDot:
    """Bin of a reliability diagram: where it is drawn, how large, and what it says."""

    x: float
    y: float
    radius: float
    text: str


def reliability_dots(calibration: CalibrationOut) -> list[ReliabilityDot]:
    """Reliability diagram on a square: a dot for each bin, its area the number of images."""
    most = max((one.count for one in calibration.bins), default=1)
    return [
        ReliabilityDot(
            WIDTH * one.confidence,
            WIDTH * (1 - one.accuracy),
            4 + 14 * (one.count / most) ** 0.5,
            f"{one.count} images, {100 * one.confidence:.0f} % sure: "
            f"{100 * one.accuracy:.0f} % right",
        )
        for one in calibration.bins
    ]
