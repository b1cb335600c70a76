"""Results of `handful evaluate --protocol paper` as tables to put beside published ones.

    python -m benchmarks.published_sets.table RESULTS

RESULTS holds ``ADAPTER/SET/results.json``. Prints, for each adapter, head and number of shots, the
accuracy on each data set and its mean over them, in %, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import mean

from benchmarks.published_sets.sets import SETS


def tables(results: Path) -> list[str]:
    """A table for each adapter.

    Raises:
        ValueError: There are no results, or some of another protocol.
    """
    found: dict[str, dict[str, dict[tuple[str, int], float]]] = {}
    for path in sorted(results.glob("*/*/results.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["protocol"]["name"] != "paper":
            raise ValueError(f"{path} is of another protocol; evaluate with --protocol paper")
        found.setdefault(path.parent.parent.name, {})[path.parent.name] = {
            (row["method"], row["shots"]): 100 * row["accuracy"]["mean"]
            for row in document["summary"]
        }
    if not found:
        raise ValueError(f"{results} holds no ADAPTER/SET/results.json")
    return [_table(adapter, by_set) for adapter, by_set in found.items()]


def _table(adapter: str, by_set: dict[str, dict[tuple[str, int], float]]) -> str:
    order = [name for name in SETS if name in by_set]
    order += sorted(by_set.keys() - SETS.keys())
    titles = [SETS[name].title if name in SETS else name for name in order]
    rows = list(dict.fromkeys(key for name in order for key in by_set[name]))
    lines = [
        f"| {adapter} | shots | {' | '.join(titles)} | mean of {len(order)} |",
        f"|---|---|{'---|' * (len(order) + 1)}",
    ]
    for method, shots in rows:
        values = [by_set[name].get((method, shots)) for name in order]
        there = [value for value in values if value is not None]
        cells = ["–" if value is None else f"{value:.2f}" for value in values]
        cells.append(f"{mean(there):.2f}" if len(there) == len(order) else "–")
        lines.append(f"| {method} | {shots} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published_sets.table")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    try:
        print("\n\n".join(tables(parser.parse_args().results)))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
