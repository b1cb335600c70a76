"""Embedding measures as rows of a table: name, meaning, both values and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

from service.presentation.measure_schemas import AgainstTextsOut, MeasuresOut, OverlapsOut

MISSING = "–"
#: Closer than this, two overlaps are the same.
SAME_OVERLAP = 0.02
_MINUS = "−"


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure of both embeddings, a row of the table.

    Attributes:
        name: Short, for a terminal.
        meaning: What it says, for somebody who meets it for the first time.
        better: Which way is better; None where neither is by itself.
        before: Of the frozen embedding; None: cannot be computed.
        after: Of the corrected one.
        percent: Whether it is a share.
        tolerance: The largest difference that says nothing.
    """

    name: str
    meaning: str
    better: Literal["lower", "higher"] | None
    before: float | None
    after: float | None
    percent: bool = False
    tolerance: float = 0.0

    @property
    def cells(self) -> tuple[str, str, str]:
        """Before, after, and the difference, as text."""
        before, after = self._rounded(self.before), self._rounded(self.after)
        if before is None or after is None:
            return self._text(before), self._text(after), MISSING
        return self._text(before), self._text(after), self._signed(after - before)

    @property
    def improved(self) -> bool | None:
        """Whether the correction made it better; None where nothing did, or it cannot be judged."""
        if self.before is None or self.after is None or self.better is None:
            return None
        looks_the_same = self._rounded(self.before) == self._rounded(self.after)
        # Two shares that differ by exactly so much do so to a rounding error.
        if looks_the_same or abs(self.after - self.before) <= self.tolerance + 1e-9:
            return None
        return (self.after < self.before) == (self.better == "lower")

    @property
    def direction(self) -> str:
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


def sign_test_margin(measures: MeasuresOut) -> float:
    """Sign test: how far the images gained and lost by the correction differ by chance.

    Of the images that change sides by chance, half go either way; two standard deviations.
    """
    return 2 * sqrt(measures.gained + measures.lost)


def measure_rows(overlaps: OverlapsOut, measures: MeasuresOut) -> list[MeasureRow]:
    """Rows of all measures; those against class names only where there is anything to compare."""
    frozen, corrected = measures.frozen, measures.corrected
    # Features of another kind spread in another way, and are no better or worse for that.
    within_space = 0.0 if measures.same_space else inf
    rows = [
        MeasureRow(
            "nearest image has the same class",
            "Share of the images whose most similar other image is of their class.",
            "higher",
            frozen.neighbour_accuracy,
            corrected.neighbour_accuracy,
            percent=True,
            tolerance=sign_test_margin(measures) / max(measures.n_judged, 1),
        ),
        MeasureRow(
            "intra-modal overlap",
            "Share of the similarities that two images of one class and two of different classes"
            " have in common.",
            "lower",
            overlaps.frozen.overlap,
            overlaps.corrected.overlap,
            percent=True,
            tolerance=SAME_OVERLAP,
        ),
        MeasureRow(
            "similarity, same class",
            "Mean cosine of two images of one class. The next should be far from it.",
            None,
            frozen.paired_similarity,
            corrected.paired_similarity,
        ),
        MeasureRow(
            "similarity, different classes",
            "Mean cosine of two images of different classes.",
            None,
            frozen.unpaired_similarity,
            corrected.unpaired_similarity,
        ),
        MeasureRow(
            "uniformity",
            "How evenly images spread: 0 if all are alike, about −4 if no two are.",
            "lower",
            frozen.uniformity,
            corrected.uniformity,
            tolerance=within_space,
        ),
        MeasureRow(
            "total feature variance",
            "How far images lie from their mean: 0 if all are alike, 1 if they balance out.",
            "higher",
            frozen.variance,
            corrected.variance,
            tolerance=within_space,
        ),
    ]
    if frozen.texts is not None:
        rows += _against_names(frozen.texts, corrected.texts)
    return rows


def _against_names(frozen: AgainstTextsOut, corrected: AgainstTextsOut | None) -> list[MeasureRow]:
    def row(
        name: str, meaning: str, value: Callable[[AgainstTextsOut], float | None]
    ) -> MeasureRow:
        after = None if corrected is None else value(corrected)
        return MeasureRow(name, meaning, "lower", value(frozen), after)

    return [
        row(
            "alignment with class names",
            "Squared distance of an image to the name of its class: 0 on it, 2 unrelated.",
            lambda texts: texts.alignment,
        ),
        row(
            "relative alignment",
            "The same, less the distance to the nearest other name: below 0, the own is nearer.",
            lambda texts: texts.relative_alignment,
        ),
        row(
            "modality gap",
            "Distance of the mean image to the mean name.",
            lambda texts: texts.modality_gap,
        ),
        row(
            "uniformity with class names",
            "How evenly images and names spread together.",
            lambda texts: texts.uniformity,
        ),
    ]
