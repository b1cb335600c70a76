"""Similarity histograms of same-class and different-class pairs, drawn by matplotlib."""

from __future__ import annotations

from matplotlib.axes import Axes

from service.presentation.similarity_histograms import Histogram

#: Colours of what belongs to the same class, to another class, and to both.
SAME, OTHER, SHARED = "#2f6fb3", "#d9822b", "#7d838c"


def draw_similarities(axes: Axes, histogram: Histogram) -> None:
    """Draw both histograms over each other, and their overlap."""
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
