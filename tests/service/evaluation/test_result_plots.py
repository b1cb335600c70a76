"""Pictures that can be read: names that do not cover each other, bars that stay in bounds."""

from __future__ import annotations

import itertools

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from adapters.heads import HEADS
from adapters.measures.calibration import Calibration
from service.evaluation.metrics import BINS
from service.evaluation.result_plots import accuracy_plot, reliability_diagram
from service.evaluation.summary import Estimate


def heights(axes: Axes) -> list[float]:
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def drawn(figure: Figure) -> Figure:
    FigureCanvasAgg(figure).draw()
    return figure


@pytest.mark.parametrize("shots", [(1, 2, 4, 8, 16), (4,)])
@pytest.mark.parametrize("apart", [0.0, 0.001, 0.02])
def test_labels_of_lines_do_not_overlap(shots: tuple[int, ...], apart: float) -> None:
    estimates = {
        (method, k): Estimate(0.7 + apart * i, 0.3) for i, method in enumerate(HEADS) for k in shots
    }
    figure = drawn(accuracy_plot(estimates, "about", 3))
    (axes,) = figure.axes
    names = {
        # Of the text alone, without the line that leads to it.
        text.get_text().split("  ")[0]: Text.get_window_extent(text)
        for text in axes.texts
        if text.get_text().split("  ")[0] in HEADS
    }
    assert names.keys() == HEADS.keys()
    for one, other in itertools.combinations(names.values(), 2):
        assert min(one.y1, other.y1) - max(one.y0, other.y0) < 2  # pixels
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(k) for k in shots]


def test_error_bars_stay_between_0_and_100_percent() -> None:
    estimates = {("auto", 1): Estimate(0.9, 0.5), ("auto", 2): Estimate(0.1, 0.5)}
    (axes,) = accuracy_plot(estimates, "about", 2).axes
    (container,) = axes.containers
    assert isinstance(container, ErrorbarContainer)
    bars = container.lines[2][0].get_segments()
    ends = [sorted(point[1] for point in bar) for bar in bars]
    assert ends == [pytest.approx([40, 100]), pytest.approx([0, 60])]


def test_reliability_diagram_shows_accuracy_and_counts() -> None:
    confidence = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.3])
    correct = torch.tensor([True, True, True, False, False])
    upper, lower = drawn(
        reliability_diagram(
            Calibration.of(confidence, correct, BINS), 0.18, "auto, 4 shots", "about"
        )
    ).axes
    assert heights(upper) == [0, 0.75]
    assert [height for height in heights(lower) if height] == [1, 4]
    assert any("auto, 4 shots: ECE 18.0 %" in text.get_text() for text in upper.texts)
