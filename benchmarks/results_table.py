r"""The tables of docs/results.md, from what `handful evaluate --out` wrote.

For each SET, run these two, and then this script on all folders:

    handful evaluate SETS/SET --coverage 0.9 --out results/SET
    handful evaluate SETS/SET --methods auto --seeds 5 --leave-classes-out 0.5 \
        --out results/SET-unknown
    .venv/bin/python benchmarks/results_table.py results/*
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

Row = dict[str, str]


def read(folder: Path) -> list[Row]:
    """The rows of a folder's results.csv."""
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def percent(rows: Iterable[Row], column: str) -> float | None:
    """Mean of a column in %, over the rows that have it."""
    values = [float(row[column]) for row in rows if row[column] != ""]
    return 100 * mean(values) if values else None


def cell(value: float | None) -> str:
    """A number as the tables show it."""
    return "–" if value is None else f"{value:.1f}"


def table(head: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table."""
    print("|", " | ".join(head), "|")
    print("|---" * len(head) + "|")
    for row in rows:
        print("|", " | ".join(row), "|")
    print()


def accuracies(sets: dict[str, list[Row]]) -> None:
    """Accuracy of every method on every set, and how far `auto` is from the best."""
    shots = sorted({row["shots"] for rows in sets.values() for row in rows}, key=int)
    methods = list(dict.fromkeys(row["method"] for rows in sets.values() for row in rows))
    found = {
        (name, method, k): percent(
            (r for r in rows if (r["method"], r["shots"]) == (method, k)), "accuracy"
        )
        for name, rows in sets.items()
        for method in methods
        for k in shots
    }
    for name in sets:
        print(f"**{name}**\n")
        lines = [[m, *(cell(found[name, m, k]) for k in shots)] for m in methods]
        behind = [
            cell(
                max(found[name, m, k] or 0 for m in methods if m != "auto")
                - (found[name, "auto", k] or 0)
            )
            for k in shots
        ]
        table([name, *shots], [*lines, ["best with hindsight less auto", *behind]])
    print("**mean of the sets**\n")
    lines = [
        [m, *(cell(mean(found[name, m, k] or 0 for name in sets)) for k in shots)] for m in methods
    ]
    table(["mean", *shots], lines)


def calibration(sets: dict[str, list[Row]], method: str, shots: str) -> None:
    """Calibration error and coverage of a method."""
    columns = ("accuracy", "ece", "coverage", "set_size")
    lines, sums = [], []
    for name, rows in sets.items():
        some = [r for r in rows if (r["method"], r["shots"]) == (method, shots)]
        error, covered = percent(some, "ece"), percent(some, "coverage")
        size = mean(float(row["set_size"]) for row in some)
        lines.append(
            [name, cell(percent(some, "accuracy")), cell(error), cell(covered), f"{size:.2f}"]
        )
        sums.append((error or 0, covered or 0))
    means = ["mean", "", *(cell(mean(values)) for values in zip(*sums, strict=True)), ""]
    table([f"{method}, {shots} shots", *columns], [*lines, means])


def unknown(sets: dict[str, list[Row]]) -> None:
    """How well images of held-out classes are told from others."""
    columns = ("auroc", "rejected_known", "rejected_unknown")
    lines = []
    for name, rows in sets.items():
        for k in sorted({row["shots"] for row in rows}, key=int):
            some = [row for row in rows if row["shots"] == k]
            draws = " ".join(f"{100 * float(r['auroc']):.1f}" for r in some if r["auroc"])
            lines.append([name, k, *(cell(percent(some, c)) for c in columns), draws])
    table(["set", "shots", *columns, "AUROC of each draw"], lines)


def main() -> None:
    """Print all tables."""
    folders = [Path(argument) for argument in sys.argv[1:]]
    plain = {f.name: read(f) for f in folders if not f.name.endswith("-unknown")}
    held_out = {f.name.removesuffix("-unknown"): read(f) for f in folders if f.name not in plain}
    accuracies(plain)
    calibration(plain, "auto", "16")
    unknown(held_out)


if __name__ == "__main__":
    main()
