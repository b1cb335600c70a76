"""Advice as plots: the learning curve, and what more images of each class are worth."""

from __future__ import annotations

from matplotlib.axes import Axes

from service.plotting.similarity_plot import OTHER, SAME
from service.reports.advice_schemas import AdviceOut, ClassNeed, EstimateOut
from service.reports.axes_style import GRID, INK, SOFT, nothing, plain, titled
from service.reports.class_labels import ClassLabels
from service.reports.learning_chart import level_ticks, lowest, shot_ticks

_MAX_NEEDS = 14
_LABEL = 26
_WIDE = 76


def needs_shown(advice: AdviceOut) -> list[tuple[ClassNeed, EstimateOut]]:
    """Classes whose gains the picture shows, the largest first."""
    gains = [(one, one.gain) for one in advice.classes if one.gain is not None]
    return gains[:_MAX_NEEDS]


def draw_curve(axes: Axes, advice: AdviceOut) -> None:
    """Accuracy against images a class, with the interval, and what was measured."""
    title = "Have you done enough?"
    curve = advice.curve
    if curve is None:
        nothing(axes, title, advice.text)
        return
    shots = [one.shots for one in curve.expected]
    seen = sum(at <= curve.shots for at in shots)
    expected = [one.value for one in curve.expected]
    axes.fill_between(
        shots,
        [one.low for one in curve.expected],
        [one.high for one in curve.expected],
        color=SAME,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(shots[:seen], expected[:seen], color=SAME, linewidth=2)
    axes.plot(shots[seen - 1 :], expected[seen - 1 :], color=SAME, linewidth=2, linestyle="--")
    axes.scatter(
        [one.shots for one in curve.measured],
        [one.accuracy for one in curve.measured],
        36,
        color=OTHER,
        zorder=3,
        clip_on=False,
    )
    bottom = lowest(curve)
    axes.axvline(curve.shots, color=SOFT, linestyle=":", linewidth=1)
    axes.text(
        curve.shots,
        bottom,
        " now" if curve.shots < shots[-1] / 1.3 else "now ",
        ha="left" if curve.shots < shots[-1] / 1.3 else "right",
        va="bottom",
        fontsize=9.5,
        color=SOFT,
    )
    axes.set_xscale("log", base=2)
    axes.set_xlim(shots[0], shots[-1])
    axes.set_ylim(bottom, 1.0)
    ticks = shot_ticks(shots[-1])
    axes.set_xticks(ticks, [f"{at}" for at in ticks])
    axes.set_xticks([], minor=True)
    levels = level_ticks(bottom)
    axes.set_yticks([at / 100 for at in levels], [f"{at} %" for at in levels])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("images a class (dots: measured; shaded: meant for 9 of 10 cases)")
    plain(axes)
    titled(axes, title, advice.text, _WIDE)


def draw_needs(axes: Axes, advice: AdviceOut, labels: ClassLabels) -> None:
    """What more images of each class are worth, with intervals, the most first."""
    title = "Which class needs images most"
    shown = needs_shown(advice)
    if not shown:
        nothing(axes, title, "No class can be judged yet: three different images of it are needed.")
        return
    for at, (_, gain) in enumerate(shown):
        axes.plot([100 * gain.low, 100 * gain.high], [at, at], color=SAME, linewidth=3, alpha=0.3)
    axes.scatter(
        [100 * gain.value for _, gain in shown], range(len(shown)), 42, color=SAME, zorder=3
    )
    axes.axvline(0, color=SOFT, linewidth=0.8)
    axes.set_yticks(
        range(len(shown)), [labels.drawn(one.label, _LABEL) for one, _ in shown], **labels.style
    )
    # A few classes stand at the top, as close as many do.
    axes.set_ylim(max(len(shown), 6) - 0.4, -0.6)
    axes.set_xlabel(f"points of its accuracy by {advice.more} more images of it")
    plain(axes, left=False)
    axes.tick_params(axis="y", labelsize=10, colors=INK)
    few = sum(one.gain is None for one in advice.classes)
    titled(axes, title, f"{few} more cannot be judged: too few images." if few else "")
