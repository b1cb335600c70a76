"""How the plots of a report's picture look: colours, titles, spines."""

from __future__ import annotations

from textwrap import shorten, wrap

from matplotlib.axes import Axes

INK, SOFT, GRID, TRACK, BAD = "#1c2430", "#5d6878", "#dfe3e9", "#e8ebf0", "#b8402a"


def nothing(axes: Axes, title: str, text: str) -> None:
    """A sentence in place of a plot."""
    axes.set_axis_off()
    axes.text(
        0,
        0.9,
        "\n".join(wrap(text, 64)),
        fontsize=11,
        color=SOFT,
        va="top",
        transform=axes.transAxes,
    )
    titled(axes, title)


def titled(axes: Axes, title: str, below: str = "", width: int = 52) -> None:
    """Title of a plot, with a sentence below it in lines of so many letters."""
    lines = wrap(shorten(below, 150, placeholder=" …"), width)
    axes.set_title("\n".join(lines), loc="left", fontsize=9, color=SOFT, linespacing=1.3)
    axes.annotate(
        title,
        (0, 1),
        xytext=(0, 8 + 12.5 * len(lines)),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=12,
        fontweight="bold",
        color=INK,
    )


def plain(axes: Axes, *, left: bool = True) -> None:
    """No box around the plot, no tick marks."""
    for side in ("top", "right") if left else ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=9.5, colors=INK)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(SOFT)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
