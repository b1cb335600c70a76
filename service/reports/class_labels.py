"""Labels of classes as the pictures of a report write them, in any script."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from service.plotting.lettering import Lettering, TextStyle, shortened
from service.presentation.wording import quantity
from service.reports.schemas import ReportOut


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """Labels of classes in fonts that have them; numbers and code points where there are none.

    Attributes:
        numbers: Number of each class, from 1, in the order of their registration.
        lettering: The fonts.
        undrawn: How many labels no font has.
    """

    numbers: dict[str, int]
    lettering: Lettering
    undrawn: int

    @classmethod
    def of(cls, report: ReportOut, shown: Collection[str]) -> Self:
        """Font fallback for those labels of a report that are shown."""
        lettering = Lettering.of(shown)
        numbers = {one.label: number for number, one in enumerate(report.classes, 1)}
        return cls(numbers, lettering, sum(not lettering.draws(label) for label in shown))

    def drawn(self, label: str, cells: int) -> str:
        """Label as it is drawn, truncated to a width in columns of Latin letters."""
        if not self.lettering.draws(label):
            label = f"class {self.numbers[label]}: {self.lettering.with_code_points(label)}"
        return shortened(label, cells)

    @property
    def style(self) -> TextStyle:
        """What matplotlib's text takes."""
        return self.lettering.style

    @property
    def missing_fonts_note(self) -> str:
        """Why there are numbers; empty where all labels are written."""
        if not self.undrawn:
            return ""
        labels = quantity(self.undrawn, "label")
        return f"No font here has all characters of {labels}; report.html shows them."
