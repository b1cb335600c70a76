"""Bytes of a database, of compiled models, checkpoints and thumbnails are changed, files are lost.

    python -m tests.campaigns.damage --seed 0 --flips 200 --log FOLDER
    python -m tests.campaigns.damage --seed 0 --flips 0 --rounds 100 --log FOLDER
    python -m tests.campaigns.damage --flips 0 --rounds 20 --planted unchecked

A flip changes forty bytes of a page of a database, and is looked for by one check. A round damages
what a service has left, starts it again, asks it, lets it check, and asks it again. Each has a seed
of its own, which follows from ``--seed``. What it has shown is one line of FOLDER/found.jsonl; what
is there already is not run again, so whatever is broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tests.campaigns.damage.base import Base, made_by_a_service, made_without_a_service
from tests.campaigns.damage.damages import EVERYTHING, OF_KILLED
from tests.campaigns.damage.flips import flipped
from tests.campaigns.damage.planted import PLANTED
from tests.campaigns.damage.rounds import run
from tests.campaigns.found_log import FoundLog


def main() -> int:
    """Run what is not in the log yet; the status is 1 where damage was missed or wrongly told."""
    asked = _arguments()
    log = FoundLog(asked.log, "damage", "name")
    shown = []

    def note(name: str, found: Callable[[], dict[str, Any]]) -> None:
        if name not in log.lines:
            log.add({"name": name, **found()})
        shown.append(log.lines[name])

    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        _flips(asked, Path(folder), note)
        _rounds(asked, Path(folder), note)
    return _summary(shown)


def _flips(
    asked: argparse.Namespace,
    folder: Path,
    note: Callable[[str, Callable[[], dict[str, Any]]], None],
) -> None:
    if asked.flips:
        made_without_a_service(folder / "base.db")

    def found(draw: random.Random) -> dict[str, Any]:
        return asdict(flipped(folder / "base.db", folder / "flipped.db", draw))

    for number in range(asked.flips):
        draw = random.Random(f"{asked.seed} flip {number}")
        note(f"flip {asked.seed} {number}", partial(found, draw))


def _rounds(
    asked: argparse.Namespace,
    folder: Path,
    note: Callable[[str, Callable[[], dict[str, Any]]], None],
) -> None:
    bases: list[Base] = []

    def found(draw: random.Random) -> dict[str, Any]:
        if not bases:
            bases.extend(made_by_a_service(folder))
        kind = draw.choice(EVERYTHING)
        base = bases[kind in OF_KILLED]
        line = asdict(run(base, kind, draw, PLANTED.get(asked.planted)))
        print(f"{kind}: {line['outcome']}", *line["failures"], sep="\n  ", flush=True)
        return line

    for number in range(asked.rounds):
        draw = random.Random(f"{asked.seed} round {number}")
        planted = asked.planted or "as it is"
        note(f"round {planted} {asked.seed} {number}", partial(found, draw))


def _summary(lines: list[dict[str, Any]]) -> int:
    flips = [line for line in lines if "how" in line]
    rounds = [line for line in lines if "kind" in line]
    counts = Counter((line["outcome"], *line["by"]) for line in flips)
    for (outcome, *by), count in sorted(counts.items()):
        print(f"{count:6}  flips {outcome} {', '.join(by)[:60]}")
    for line in flips:
        if line["outcome"] == "missed":
            print(f"missed: {line['name']}: {', '.join(line['rows'])}")
    by_kind = Counter((line["kind"], line["outcome"]) for line in rounds)
    for (kind, outcome), count in sorted(by_kind.items()):
        print(f"{count:6}  {kind}: {outcome}")
    changed = sum(line["outcome"] != "harmless" for line in flips)
    noticed = sum(line["outcome"] == "noticed" for line in flips)
    print(f"{noticed} of {changed} flips that changed a row or a page's structure were noticed")
    wrong = [line for line in rounds if line["failures"]]
    others = sum(line["wrong"] for line in rounds)
    print(f"{others} answers were others than before; whatever was not told in time is below")
    print(f"{len(wrong)} of {len(rounds)} rounds in which a promise was not kept")
    for line in wrong:
        print(line["name"], line["kind"], *line["failures"], sep="\n  ")
    return 1 if wrong or noticed < changed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=0, help="of a service each")
    parser.add_argument("--planted", choices=tuple(PLANTED), help="a bug that has to be found")
    parser.add_argument("--log", help="a folder; by default a new one")
    return parser.parse_args()
