"""Means over seeds, and how sure a difference is: Student's interval of paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from scipy.stats import t

from benchmarks.small_clip.seeds import COLUMNS, Part

LEVEL = 0.95


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Student's interval at `LEVEL` of the mean of two or more differences, one a seed."""
    half = float(t.ppf((1 + LEVEL) / 2, len(differences) - 1))
    half *= stdev(differences) / len(differences) ** 0.5
    return mean(differences) - half, mean(differences) + half


def tables(found: Sequence[Mapping[str, Part]]) -> str:
    """Markdown tables of what was measured with each of several seeds.

    The difference is that of the last column and the one before it, within a seed; it is in bold
    where its interval excludes zero.
    """
    lines = []
    for part, columns in COLUMNS.items():
        lines += [
            f"**{part}**",
            "",
            f"| | {' | '.join(columns)} | difference, 95 % interval |",
            "|---" * (len(columns) + 2) + "|",
        ]
        for row in found[0][part]:
            values = [one[part][row] for one in found]
            shown = [f"{mean(column):.3g}" for column in zip(*values, strict=True)]
            lines.append(f"| {row} | {' | '.join(shown)} | {_difference(values)} |")
        lines.append("")
    return "\n".join(lines)


def _difference(values: Sequence[Sequence[float]]) -> str:
    differences = [each[-1] - each[-2] for each in values]
    if len(differences) < 2:
        return f"{differences[0]:+.2f}"
    low, high = interval(differences)
    said = f"{mean(differences):+.2f} ({low:+.2f} to {high:+.2f})"
    return f"**{said}**" if low > 0 or high < 0 else said
