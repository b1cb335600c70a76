"""Plots of a report as one picture, PNG or SVG.

Accuracies, confusion matrix, learning curve, similarity histograms, reliability diagram and
measures. Figures are made without pyplot, whose state is shared between threads.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, Literal, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from service.plotting.lettering import joined_left_to_right
from service.plotting.similarity_plot import OTHER, SAME, draw_similarities
from service.presentation.interpretation import interpretation
from service.presentation.measure_schemas import OverlapOut
from service.presentation.measure_table import measure_rows
from service.presentation.similarity_histograms import Histogram, histograms
from service.presentation.wording import percent, quantity
from service.reports.advice_plots import draw_curve, draw_needs, needs_shown
from service.reports.axes_style import BAD, GRID, INK, SOFT, TRACK, nothing, plain, titled
from service.reports.class_labels import ClassLabels
from service.reports.schemas import ClassReport, ReportOut
from service.reports.verdicts import calibration_verdict, overlap_verdict

_BLUES = LinearSegmentedColormap.from_list("right", ["#dce7f3", SAME])
_ORANGES = LinearSegmentedColormap.from_list("wrong", ["#fbe8d3", OTHER])
_MAX_BARS = 24
_MAX_MATRIX = 24
_LABEL, _NARROW = 26, 18


def picture(report: ReportOut, kind: Literal["png", "svg"] = "png") -> bytes:
    """Picture of all plots; a sentence that says what to do where there is nothing to plot."""
    if report.accuracy is None:
        figure = _figure(2.2)
        _head(figure, report, "\nRegister at least two images a class to see its report.")
    else:
        figure = _figure(18.0)
        _head(figure, report)
        _plots(figure, report)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def _figure(height: float) -> Figure:
    spacious = ConstrainedLayoutEngine(w_pad=0.18, h_pad=0.16)
    return Figure(figsize=(13, height), dpi=110, layout=spacious, facecolor="white")


def _head(figure: Figure, report: ReportOut, more: str = "") -> None:
    title = report.classifier
    if report.accuracy is not None:
        title += f": {percent(report.accuracy)} accuracy, each image named by the others"
    facts = [
        f"{quantity(report.n_images, 'image')} in " + quantity(report.n_classes, "class", "classes")
    ]
    if report.accuracy is not None:
        facts.append(quantity(report.n_suspects, "looks mislabelled", "look mislabelled"))
        facts.append(quantity(report.n_redundant, "near copy", "near copies"))
    figure.suptitle(
        f"{title}\n{'; '.join(facts)}{more}",
        x=0.012,
        ha="left",
        fontsize=15,
        color=INK,
        linespacing=1.5,
    )


def _plots(figure: Figure, report: ReportOut) -> None:
    parts = cast("Sequence[SubFigure]", figure.subfigures(4, 1, height_ratios=[1.45, 1, 1, 0.85]))
    bars, confusions = parts[0].subplots(1, 2)
    labels = ClassLabels.of(report, _shown(report))
    _accuracy(bars, report, labels)
    if report.n_classes <= _MAX_MATRIX:
        _matrix(confusions, report, labels)
    else:
        _confusions(confusions, report, labels)
    curve, needs = parts[1].subplots(1, 2)
    draw_curve(curve, report.advice)
    draw_needs(needs, report.advice, labels)
    frozen, corrected, calibration = parts[2].subplots(1, 3)
    views = [(frozen, report.overlap.frozen, "Before: frozen embedding")]
    if report.measures.is_corrected:
        views.append((corrected, report.overlap.corrected, "After: corrected embedding"))
    else:
        nothing(corrected, "After", "This backbone has no correction.")
    drawn = iter(histograms([one for _, one, _ in views]))
    for axes, one, title in views:
        _overlap(axes, one, None if one.overlap is None else next(drawn), title)
    _calibration(calibration, report)
    _measures(parts[3].subplots(), report)


def _shown(report: ReportOut) -> set[str]:
    """The labels that the picture names."""
    confused = report.confusions[:_MAX_BARS]
    matrix = report.confusion_matrix if report.n_classes <= _MAX_MATRIX else None
    return {
        *(one.label for one, _ in _judged(report)[:_MAX_BARS]),
        *(label for one in confused for label in (one.label, one.named)),
        *(matrix.labels if matrix else ()),
        *(one.label for one, _ in needs_shown(report.advice)),
    }


def _judged(report: ReportOut) -> list[tuple[ClassReport, float]]:
    """Classes that have an accuracy, the weakest first."""
    judged = [(one, one.accuracy) for one in report.classes if one.accuracy is not None]
    return sorted(judged, key=lambda pair: (pair[1], -pair[0].n_votes))


def _accuracy(axes: Axes, report: ReportOut, labels: ClassLabels) -> None:
    judged = _judged(report)
    shown = judged[:_MAX_BARS]
    title = "Accuracy of each class"
    if len(shown) < len(judged):
        title = f"Accuracy of the {len(shown)} weakest of {len(judged)} classes"
    _bars(
        axes,
        [labels.drawn(one.label, _LABEL) for one, _ in shown],
        labels,
        [accuracy for _, accuracy in shown],
        [f"{round(accuracy * one.n_votes)} of {one.n_votes}" for one, accuracy in shown],
        SAME,
    )
    titled(axes, title, labels.missing_fonts_note)


def _confusions(axes: Axes, report: ReportOut, labels: ClassLabels) -> None:
    title = "Most frequent confusions"
    shown = report.confusions[:_MAX_BARS]
    if not shown:
        nothing(axes, title, "No image was taken for one of another class.")
        return
    votes = {one.label: one.n_votes for one in report.classes}
    pairs = [(labels.drawn(o.label, _NARROW), labels.drawn(o.named, _NARROW)) for o in shown]
    _bars(
        axes,
        [joined_left_to_right(*pair, by=" → ") for pair in pairs],
        labels,
        [one.count / votes[one.label] for one in shown],
        [f"{one.count} of {votes[one.label]}" for one in shown],
        OTHER,
    )
    titled(axes, title)


def _bars(
    axes: Axes,
    names: list[str],
    labels: ClassLabels,
    shares: list[float],
    counts: list[str],
    colour: str,
) -> None:
    """Horizontal bars from 0 to 1, the first at the top, with its counts at the end of each."""
    at = np.arange(len(names))
    # A few bars keep the thickness that many have.
    height = 0.72 * min(1.0, len(names) / 8)
    axes.barh(at, np.ones(len(names)), height, color=TRACK)
    axes.barh(at, shares, height, color=colour)
    size = 10 if len(names) <= 16 else 8.5
    axes.set_yticks(at, names, fontsize=size, **labels.style)
    for y, word in enumerate(counts):
        axes.text(1.015, y, word, va="center", fontsize=size, color=SOFT)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    plain(axes, left=False)


def _matrix(axes: Axes, report: ReportOut, labels: ClassLabels) -> None:
    if report.confusion_matrix is None:
        return
    names = [labels.drawn(label, _NARROW) for label in report.confusion_matrix.labels]
    counts = np.array(report.confusion_matrix.rows, dtype=np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    correct = np.eye(len(names), dtype=bool)
    for own, colours in ((correct, _BLUES), (~correct, _ORANGES)):
        some = np.ma.masked_where(~own | (counts == 0), shares)
        axes.imshow(some, cmap=colours, vmin=0, vmax=1, aspect="auto")
    size = 10 if len(names) <= 12 else 7.5
    for row, column in zip(*counts.nonzero(), strict=True):
        dark = shares[row, column] > 0.55
        axes.text(
            column,
            row,
            f"{counts[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else INK,
        )
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size, **labels.style)
    axes.set_yticks(range(len(names)), names, fontsize=size, **labels.style)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    titled(axes, "What is taken for what", "row: registered as; column: named")


def _overlap(axes: Axes, overlap: OverlapOut, histogram: Histogram | None, title: str) -> None:
    if histogram is None:
        nothing(axes, title, "This takes images of two classes.")
        return
    draw_similarities(axes, histogram)
    plain(axes, left=False)
    titled(axes, title, overlap_verdict(overlap))


def _measures(axes: Axes, report: ReportOut) -> None:
    """The measures before and after, as a table of text."""
    measures = report.measures
    rows = measure_rows(report.overlap, measures)
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.5, -1.5)
    heads = ("before", "after", "difference") if measures.is_corrected else ("",)
    columns = (0.34, 0.42, 0.52)[: len(heads)]
    style: dict[str, Any] = {"fontsize": 9.5, "va": "center"}
    for x, head in zip(columns, heads, strict=True):
        axes.text(x, -1, head, ha="right", color=SOFT, **style)
    axes.text(0.545, -1, "better is", color=SOFT, **style)
    for y, row in enumerate(rows):
        axes.axhline(y - 0.5, xmax=0.62, color=GRID, linewidth=0.8)
        axes.text(0, y, row.name, color=INK, **style)
        for x, word in zip(columns, row.cells, strict=False):
            axes.text(x, y, word, ha="right", color=INK, **style)
        colour = {True: SAME, False: BAD, None: SOFT}[row.improved]
        mark = {True: "✓ ", False: "✗ ", None: ""}[row.improved]
        axes.text(0.545, y, mark + row.direction, color=colour, **style)
    text = "\n\n".join("\n".join(wrap(sentence, 46)) for sentence in interpretation(measures))
    axes.text(0.7, -0.5, text, fontsize=9.5, va="top", color=SOFT, linespacing=1.4)
    titled(axes, "Measures of the embeddings")


def _calibration(axes: Axes, report: ReportOut) -> None:
    bins = report.calibration.bins
    most = max(one.count for one in bins)
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
    axes.scatter(
        [one.confidence for one in bins],
        [one.accuracy for one in bins],
        [20 + 380 * one.count / most for one in bins],
        color=SAME,
        alpha=0.75,
        linewidths=0,
        clip_on=False,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    ticks = [0, 0.5, 1]
    axes.set_xticks(ticks, ["0 %", "50 %", "100 %"])
    axes.set_yticks(ticks, ["0 %", "50 %", "100 %"])
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("share that is right")
    plain(axes)
    titled(axes, "Probability against truth", calibration_verdict(report))
