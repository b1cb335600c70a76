"""Learning curve as SVG paths: accuracy against images a class, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log2

from service.presentation.wording import percent
from service.reports.advice_schemas import LearningCurveOut
from service.reports.charts import WIDTH, Tick

#: Height of the chart, in the units of its paths.
HEIGHT = 240.0
_MAX_TICKS = 8
# Of the height: the lowest value does not touch the axis.
_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class CurveDot:
    """A point that was measured, and what it says."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class CurveChart:
    """SVG paths of a learning curve.

    Attributes:
        band: Area of the interval.
        line: Expected accuracy as far as there are images.
        ahead: The same beyond.
        now: Horizontal place of the images at hand.
        dots: What was measured.
        ticks: Of the horizontal axis, images a class.
        levels: Of the vertical axis, as heights and words.
    """

    band: str
    line: str
    ahead: str
    now: float
    dots: list[CurveDot]
    ticks: list[Tick]
    levels: list[Tick]


def curve_chart(curve: LearningCurveOut) -> CurveChart:
    """Draw a learning curve."""
    points = curve.expected
    left, right = log2(points[0].shots), log2(points[-1].shots)
    bottom = lowest(curve)

    def x(shots: float) -> float:
        return WIDTH * (log2(shots) - left) / max(right - left, 1e-9)

    def y(accuracy: float) -> float:
        return HEIGHT * (1 - _MARGIN) * (1 - (accuracy - bottom) / (1 - bottom))

    low = [(x(one.shots), y(one.low)) for one in points]
    high = [(x(one.shots), y(one.high)) for one in points]
    line = [(x(one.shots), y(one.value)) for one in points]
    seen = sum(one.shots <= curve.shots for one in points)
    return CurveChart(
        band=_path([*high, *reversed(low)]) + "Z",
        line=_path(line[:seen]),
        ahead=_path(line[seen - 1 :]),
        now=x(curve.shots),
        dots=[
            CurveDot(
                x(one.shots),
                y(one.accuracy),
                f"{one.shots:.3g} images a class: {percent(one.accuracy)} named rightly",
            )
            for one in curve.measured
            if points[0].shots <= one.shots <= points[-1].shots
        ],
        ticks=[Tick(x(at), f"{at}") for at in shot_ticks(points[-1].shots)],
        levels=[Tick(y(at / 100), f"{at} %") for at in level_ticks(bottom)],
    )


def lowest(curve: LearningCurveOut) -> float:
    """Where the vertical axis begins: a round accuracy below all that is drawn."""
    values = [one.low for one in curve.expected] + [one.accuracy for one in curve.measured]
    return min(max(floor(10 * min(values)) / 10, 0.0), 0.9)


def shot_ticks(most: float) -> list[int]:
    """Powers of two up to so many images a class, not more than are easily read."""
    powers = floor(log2(most) + 1e-9) + 1
    step = ceil(powers / _MAX_TICKS)
    return [2**i for i in range(0, powers, step)]


def level_ticks(bottom: float) -> list[int]:
    """Accuracies in %, from the lowest to all."""
    low = round(100 * bottom)
    step = next(step for step in (2, 5, 10, 20, 25) if (100 - low) / step <= 5)
    return list(range(ceil(low / step) * step, 101, step))


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
