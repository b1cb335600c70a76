"""Table of a diagnosis, for a terminal of 80 characters."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.diagnosis.image_diagnosis import DiagnosisOut
from service.presentation.interpretation import interpretation
from service.presentation.measure_table import MeasureRow, measure_rows

_COLOURS = {True: "green", False: "red", None: ""}
_MARKS = {True: "✓ ", False: "✗ ", None: "  "}


def table(diagnosis: DiagnosisOut, described: str) -> Group:
    """Measures before and after the correction, and what they say together.

    Args:
        diagnosis: What was measured.
        described: What it was measured on, for the title.
    """
    measures = diagnosis.measures
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    drawn.add_column("", no_wrap=True)
    for name in ("before", "after", "difference") if measures.is_corrected else ("",):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("  better is", no_wrap=True)
    for row in measure_rows(diagnosis.overlap, measures):
        drawn.add_row(*_cells(row, measures.is_corrected))
    return Group(
        Text(f"{described}; backbone {diagnosis.backbone}", "bold"),
        drawn,
        *(Text(f"\n{sentence}") for sentence in interpretation(measures)),
    )


def _cells(row: MeasureRow, corrected: bool) -> list[str | Text]:
    before, after, difference = row.cells
    if not corrected:
        return [row.name, before, f"  {row.direction}"]
    colour = _COLOURS[row.improved]
    return [
        row.name,
        before,
        after,
        Text(difference, colour),
        Text(_MARKS[row.improved] + row.direction, colour),
    ]
