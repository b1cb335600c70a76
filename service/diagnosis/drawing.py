"""A pair of histograms, drawn by matplotlib."""

from __future__ import annotations

from matplotlib.axes import Axes

from service.diagnosis.histograms import Histogram

SAME, OTHER, SHARED = "#2f6fb3", "#d9822b", "#7d838c"


def draw(axes: Axes, histogram: Histogram) -> None:
    """Draw same-class and different-class similarities over each other, and what both cover."""
    for shares, colour, name in (
        (histogram.unpaired, OTHER, "different classes"),
        (histogram.paired, SAME, "same class"),
    ):
        axes.stairs(shares, histogram.edges, fill=True, alpha=0.42, color=colour, label=name)
        axes.stairs(shares, histogram.edges, color=colour, linewidth=1)
    axes.stairs(histogram.shared, histogram.edges, fill=True, color=SHARED, label="overlap")
    axes.set_xlim(histogram.edges[0], histogram.edges[-1])
    axes.set_ylim(0, 1.25 * histogram.top)  # room for the legend
    axes.set_yticks([])
    axes.set_xlabel("similarity of two images (cosine)")
    axes.legend(frameon=False, fontsize=9, loc="upper left", handlelength=1.1)
