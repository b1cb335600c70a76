"""Accuracy against shots, and the reliability diagram, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from adapters.measures.calibration import Calibration
from service.evaluation.metrics import BINS
from service.evaluation.summary import Estimate
from service.plotting.lettering import Lettering, wrapped

_INK, _FAINT, _GRID = "#222222", "#777777", "#dddddd"
# A colour for each family of heads; the plain one is dashed, the corrected one (++) solid.
_FAMILIES = {
    "tip-adapter": "#1f77b4",
    "tip-x": "#9467bd",
    "ape": "#e08214",
    "gda": "#1b9e77",
    "zero-shot": "#999999",
}
_EMPHASISED = "auto"
_DPI = 150


def accuracy_plot(
    estimates: Mapping[tuple[str, int], Estimate], about: str, n_draws: int
) -> Figure:
    """Accuracy against shots, one line a method.

    Args:
        estimates: By method and shots, as fractions.
        about: Data set and backbone, for the line under the title.
        n_draws: How many draws the intervals are over.
    """
    figure = Figure(figsize=(9, 6), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    methods = list(dict.fromkeys(method for method, _ in estimates))
    shots = sorted({k for _, k in estimates})
    ends = {}
    for i, method in enumerate(methods):
        # Side by side, so that the intervals of methods do not cover each other.
        shift = 2.0 ** (0.022 * (i - (len(methods) - 1) / 2))
        ks = [k for k in shots if (method, k) in estimates]
        points = [estimates[method, k] for k in ks]
        means = [100 * value.mean for value in points]
        main = method == _EMPHASISED
        axes.errorbar(
            [k * shift for k in ks],
            means,
            _within_bounds(means, [100 * (value.half_width or 0.0) for value in points]),
            color=_colour(method),
            linestyle=_style(method),
            linewidth=2.8 if main else 1.3,
            marker="o",
            markersize=6 if main else 3.5,
            elinewidth=1.6 if main else 0.8,
            capsize=0,
            ecolor=(_colour(method), 1.0 if main else 0.55),
            zorder=4 if main else 3,
        )
        ends[method] = (ks[-1] * shift, means[-1])
    axes.set_xscale("log", base=2)
    axes.set_xticks(shots, [str(k) for k in shots])
    axes.minorticks_off()
    axes.set_xlim(shots[0] / 1.25, shots[-1] * 1.3)
    axes.set_xlabel("support images a class")
    axes.set_ylabel("accuracy in %")
    _plain(axes)
    _label_ends(axes, ends)
    lettering = Lettering.of([about])
    lines = wrapped(lettering.with_code_points(about), 100)
    if n_draws > 1:
        lines.append(f"mean of {n_draws} draws and its 95 % interval (Student's t)")
    _title(axes, "Accuracy against shots", lines, lettering)
    return figure


def reliability_diagram(calibration: Calibration, error: float, method: str, about: str) -> Figure:
    """Reliability diagram: accuracy against confidence, and below it how many queries had which.

    Args:
        calibration: The bins.
        error: Expected calibration error, as a fraction.
        method: What was measured, with its number of shots.
        about: Data set and backbone, for the line under the title.
    """
    figure = Figure(figsize=(6, 7), dpi=_DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    middles = (np.arange(BINS) + 0.5) / BINS
    counts = calibration.counts.numpy()
    confidence, accuracy = calibration.confidence.numpy(), calibration.accuracy.numpy()
    some = counts > 0
    upper.plot([0, 1], [0, 1], color=_FAINT, linestyle="--", linewidth=1.2, zorder=2)
    upper.bar(middles[some], accuracy[some], 0.92 / BINS, color="#4c8fbd", zorder=1.5)
    upper.scatter(confidence[some], accuracy[some], s=22, color=_INK, zorder=3)
    upper.set_ylim(0, 1)
    upper.set_xlim(0, 1)
    upper.set_ylabel("share of right answers")
    lower.bar(middles, counts, 0.92 / BINS, color="#bbbbbb", zorder=1.5)
    lower.set_ylabel("queries")
    lower.set_xlabel("confidence (largest probability)")
    for axes in (upper, lower):
        _plain(axes)
    hint = "bars above the diagonal: too modest; below: too sure; dots: mean confidence"
    title = f"Reliability of {method}: ECE {100 * error:.1f} %"
    lettering = Lettering.of([about])
    _title(upper, title, [*wrapped(lettering.with_code_points(about), 76), hint], lettering)
    return figure


def _within_bounds(means: Sequence[float], half_widths: Sequence[float]) -> NDArray[np.float64]:
    """(2, n) lengths of bars down and up that do not leave 0 to 100 %."""
    pairs = list(zip(means, half_widths, strict=True))
    down = [min(half, mean) for mean, half in pairs]
    return np.array([down, [min(half, 100 - mean) for mean, half in pairs]])


def _colour(method: str) -> str:
    return _INK if method == _EMPHASISED else _FAMILIES.get(method.removesuffix("++"), _FAINT)


def _style(method: str) -> str:
    return "-" if method == _EMPHASISED or method.endswith("++") else "--"


def _plain(axes: Axes) -> None:
    axes.grid(color=_GRID, linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=10)
    axes.xaxis.label.set_fontsize(11)
    axes.yaxis.label.set_fontsize(11)


def _title(axes: Axes, title: str, lines: Sequence[str], lettering: Lettering) -> None:
    """Write a title, and below it what it is about."""
    axes.set_title(
        "\n".join(lines),
        loc="left",
        fontsize=9.5,
        color=_FAINT,
        linespacing=1.35,
        **lettering.style,
    )
    axes.annotate(
        title,
        (0, 1),
        xytext=(0, 12 + 13.5 * len(lines)),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=14,
        fontweight="bold",
        color=_INK,
    )


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, float]]) -> None:
    """Name each line at its right end, which is given in data coordinates."""
    order = sorted(ends, key=lambda method: (ends[method][1], method == _EMPHASISED))
    heights = [ends[method][1] for method in order]
    low, high = axes.get_ylim()
    for method, height in zip(order, _apart(heights, 0.037 * (high - low)), strict=True):
        axes.annotate(
            f"{method}  {ends[method][1]:.1f}",
            ends[method],
            xytext=(1.02, height),
            xycoords="data",
            textcoords=axes.get_yaxis_transform(),
            color=_colour(method),
            fontsize=10,
            fontweight="bold" if method == _EMPHASISED else "normal",
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": _colour(method),
                "linestyle": _style(method),
                "linewidth": 0.8,
                "relpos": (0, 0.5),
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights, moved as little as needed for ``gap`` between neighbours."""
    placed = list(heights)
    for _ in range(100 * len(placed)):
        overlaps = [gap - (above - below) for below, above in pairwise(placed)]
        if not overlaps or max(overlaps) < 1e-3 * gap:
            break
        i = overlaps.index(max(overlaps))
        placed[i] -= overlaps[i] / 2
        placed[i + 1] += overlaps[i] / 2
    return placed
