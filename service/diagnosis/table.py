"""A diagnosis for a terminal of 80 characters."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.diagnosis.lines import Line, lines
from service.diagnosis.run import DiagnosisOut
from service.diagnosis.wording import told

_COLOURS = {True: "green", False: "red", None: ""}
_MARKS = {True: "✓ ", False: "✗ ", None: "  "}


def table(diagnosis: DiagnosisOut, described: str) -> Group:
    """The measures before and after, and what they say together.

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
    for line in lines(diagnosis.overlap, measures):
        drawn.add_row(*_cells(line, measures.is_corrected))
    return Group(
        Text(f"{described}; backbone {diagnosis.backbone}", "bold"),
        drawn,
        *(Text(f"\n{sentence}") for sentence in told(measures)),
    )


def _cells(line: Line, corrected: bool) -> list[str | Text]:
    before, after, difference = line.written
    if not corrected:
        return [line.name, before, f"  {line.way}"]
    colour = _COLOURS[line.helped]
    return [
        line.name,
        before,
        after,
        Text(difference, colour),
        Text(_MARKS[line.helped] + line.way, colour),
    ]
