"""The measures as lines of a table: what each is called, what it says, and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

from service.diagnosis.schemas import AgainstTextsOut, MeasuresOut, OverlapsOut

MISSING = "–"
#: Closer than this, two overlaps are the same.
SAME_OVERLAP = 0.02
_MINUS = "−"


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of both embeddings.

    Attributes:
        name: Short, for a terminal.
        told: What it says, for somebody who meets it for the first time.
        better: Which way is better; None where neither is by itself.
        before: Of the frozen embedding; None: cannot be told.
        after: Of the corrected one.
        percent: Whether it is a share.
        least: The largest difference that says nothing.
    """

    name: str
    told: str
    better: Literal["lower", "higher"] | None
    before: float | None
    after: float | None
    percent: bool = False
    least: float = 0.0

    @property
    def written(self) -> tuple[str, str, str]:
        """Before, after, and the difference, as text."""
        before, after = self._rounded(self.before), self._rounded(self.after)
        if before is None or after is None:
            return self._text(before), self._text(after), MISSING
        return self._text(before), self._text(after), self._signed(after - before)

    @property
    def helped(self) -> bool | None:
        """Whether the correction made it better; None where that cannot be told, or nothing did."""
        if self.before is None or self.after is None or self.better is None:
            return None
        looks_the_same = self._rounded(self.before) == self._rounded(self.after)
        # Two shares that differ by exactly so much do so to a rounding error.
        if looks_the_same or abs(self.after - self.before) <= self.least + 1e-9:
            return None
        return (self.after < self.before) == (self.better == "lower")

    @property
    def way(self) -> str:
        """Which way is better, as a word."""
        return self.better or "apart"

    def _rounded(self, value: float | None) -> float | None:
        """As precise as it is shown, so that no difference of equal figures is called better."""
        return None if value is None else round(value, 3)

    def _text(self, value: float | None) -> str:
        if value is None:
            return MISSING
        number = f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"
        return number.replace("-", _MINUS)

    def _signed(self, difference: float) -> str:
        """A difference of two shares is in percentage points, not in percent of the first."""
        if abs(difference) < 5e-4:
            return "0"
        number = f"{100 * difference:+.1f} points" if self.percent else f"{difference:+.3f}"
        return number.replace("-", _MINUS)


def by_chance(measures: MeasuresOut) -> float:
    """How many more images may find their class after the correction, or fewer, by chance.

    The sign test: of the images that change sides by chance, half go either way.
    """
    return 2 * sqrt(measures.gained + measures.lost)


def lines(overlaps: OverlapsOut, measures: MeasuresOut) -> list[Line]:
    """All measures; those against names only where there is anything to compare."""
    frozen, corrected = measures.frozen, measures.corrected
    # Features of another kind spread in another way, and are no better or worse for that.
    within_space = 0.0 if measures.same_space else inf
    found = [
        Line(
            "nearest image has the same class",
            "Share of the images whose most similar other image is of their class.",
            "higher",
            frozen.neighbour_accuracy,
            corrected.neighbour_accuracy,
            percent=True,
            least=by_chance(measures) / max(measures.n_judged, 1),
        ),
        Line(
            "intra-modal overlap",
            "Share of the similarities that two images of one class and two of different classes"
            " have in common.",
            "lower",
            overlaps.frozen.overlap,
            overlaps.corrected.overlap,
            percent=True,
            least=SAME_OVERLAP,
        ),
        Line(
            "similarity, same class",
            "Mean cosine of two images of one class. The next should be far from it.",
            None,
            frozen.paired_similarity,
            corrected.paired_similarity,
        ),
        Line(
            "similarity, different classes",
            "Mean cosine of two images of different classes.",
            None,
            frozen.unpaired_similarity,
            corrected.unpaired_similarity,
        ),
        Line(
            "uniformity",
            "How evenly images spread: 0 if all are alike, about −4 if no two are.",
            "lower",
            frozen.uniformity,
            corrected.uniformity,
            least=within_space,
        ),
        Line(
            "total feature variance",
            "How far images lie from their mean: 0 if all are alike, 1 if they balance out.",
            "higher",
            frozen.variance,
            corrected.variance,
            least=within_space,
        ),
    ]
    if frozen.texts is not None:
        found += _against_names(frozen.texts, corrected.texts)
    return found


def _against_names(frozen: AgainstTextsOut, corrected: AgainstTextsOut | None) -> list[Line]:
    def line(name: str, told: str, value: Callable[[AgainstTextsOut], float | None]) -> Line:
        after = None if corrected is None else value(corrected)
        return Line(name, told, "lower", value(frozen), after)

    return [
        line(
            "alignment with class names",
            "Squared distance of an image to the name of its class: 0 on it, 2 unrelated.",
            lambda texts: texts.alignment,
        ),
        line(
            "relative alignment",
            "The same, less the distance to the nearest other name: below 0, the own is nearer.",
            lambda texts: texts.relative_alignment,
        ),
        line(
            "modality gap",
            "Distance of the mean image to the mean name.",
            lambda texts: texts.modality_gap,
        ),
        line(
            "uniformity with class names",
            "How evenly images and names spread together.",
            lambda texts: texts.uniformity,
        ),
    ]
