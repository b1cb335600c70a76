"""Services are killed, stopped and cut off while clients use them: what they saw is checked.

    python -m tests.campaigns.consistency --on sqlite --kills 1000 --log FOLDER
    python -m tests.campaigns.consistency --on faulty-disk --kills 300 --log FOLDER
    python -m tests.campaigns.consistency --on postgresql --kills 1000 --log FOLDER
    python -m tests.campaigns.consistency --on postgresql --kills 20 --planted stale-cache

Goes on in batches, each with a service and a database of its own and a seed that follows from
``--seed``. What a batch has shown is one line of FOLDER/found.jsonl, and a batch that is there
already is not run again, so whatever is broken off goes on where it was. Histories of batches in
which something was found are kept beside it, and so is that of one that was broken off. A batch in
which no fault could be inflicted is the last one.

Needs the programs of PostgreSQL for ``postgresql``: it makes servers of its own. Networks that lose
packets, or are slow, need root as well, and are left out where it lacks.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.campaigns.consistency.campaign import Found, run
from tests.campaigns.consistency.deployments import (
    Deployment,
    on_faulty_disk,
    on_postgresql,
    on_sqlite,
)
from tests.campaigns.consistency.planted import PLANTED
from tests.campaigns.found_log import FoundLog
from tests.tiny_vit import write_tiny_vit

FAULTS = {
    "sqlite": (*(("kill",) * 6), "pause", "other writer"),
    "faulty-disk": (
        *(("power cut",) * 8),
        *("full disk", "failing flushes", "failing writes", "slow disk"),
        *("clock ahead", "clock behind", "pause"),
    ),
    "postgresql": (
        *(("kill",) * 5),
        *("kill database", "pause", "pause database", "cut", "lost network", "slow network"),
    ),
}
"""Kinds of each deployment, as often as they are to be drawn."""
_KILLS = ("kill", "kill database", "power cut")
# The bug that is planted in the disk and not in the service.
_BELOW = "dropped-flushes"
# Faults of a batch.
_BATCH = 25


def main() -> int:
    """Run what is not in the log yet; the status is 1 where a promise was not kept."""
    asked = _arguments()
    log = FoundLog(asked.log, "consistency", "batch")
    done = log.lines
    kills, batch, shown = 0, 0, []
    while kills < asked.kills:
        name = f"{asked.on} {asked.planted or 'as it is'} {asked.seed} {batch}"
        if name not in done:
            found = _batch(asked, batch, log.folder / f"{name.replace(' ', '-')}.jsonl")
            log.add(_line(name, found))
            print(_told(done[name]), flush=True)
        kills += sum(n for kind, n in done[name]["faults"].items() if kind in _KILLS)
        batch += 1
        shown.append(done[name])
        if not done[name]["faults"] or (asked.planted and not done[name]["is_well"]):
            break
    return _summary(shown)


def _batch(asked: argparse.Namespace, batch: int, history: Path) -> Found:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "vit").mkdir()
        settings: dict[str, object] = {"backbone": f"local-dir:{write_tiny_vit(folder / 'vit', 0)}"}
        if history.exists():
            history.replace(history.with_suffix(".unfinished.jsonl"))
        with _deployed(asked, folder, settings) as deployment:
            found = run(
                deployment,
                faults=[kind for kind in FAULTS[asked.on] if kind in deployment.faults],
                number=_BATCH,
                clients=asked.clients,
                seed=1000 * asked.seed + batch,
                file=history,
            )
            if not found.is_well:
                history.with_suffix(".log").write_text(deployment.log())
    if found.is_well:
        history.unlink()
    return found


def _deployed(
    asked: argparse.Namespace, folder: Path, settings: dict[str, object]
) -> AbstractContextManager[Deployment]:
    planted = PLANTED.get(asked.planted)
    match asked.on:
        case "sqlite":
            return on_sqlite(folder, settings, planted)
        case "faulty-disk":
            return on_faulty_disk(folder, settings, drops_flushes=asked.planted == _BELOW)
    return on_postgresql(folder, settings, planted)


def _line(name: str, found: Found) -> dict[str, Any]:
    first = min((one.operation.number for one in found.anomalies), default=None)
    return {
        "batch": name,
        "is_well": found.is_well,
        "operations": found.operations,
        "faults": dict(found.faults),
        "counts": dict(found.counts),
        "seconds": round(found.seconds, 1),
        "checked_in": round(found.checked_in, 2),
        "tracebacks": found.tracebacks,
        "failures": found.failures[:20],
        "first_anomaly": first,
        "anomalies": [str(one) for one in found.anomalies[:20]],
    }


def _told(line: dict[str, Any]) -> str:
    faults = ", ".join(f"{n} {kind}" for kind, n in sorted(line["faults"].items()))
    told = f"{line['batch']}: {line['operations']} operations, {faults}; {line['seconds']} s"
    if line["is_well"]:
        return told
    wrong = [*line["failures"], *line["anomalies"]]
    return f"{told}\n  {line['tracebacks']} tracebacks\n  " + "\n  ".join(wrong)


def _summary(lines: list[dict[str, Any]]) -> int:
    faults: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for line in lines:
        faults.update(line["faults"])
        counts.update(line["counts"])
    print(f"{len(lines)} batches, {sum(line['operations'] for line in lines)} operations")
    for what, count in sorted((*faults.items(), *counts.items())):
        print(f"{count:8}  {what}")
    wrong = [line for line in lines if not line["is_well"]]
    print(f"{len(wrong)} batches in which a promise was not kept")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--on", choices=tuple(FAULTS), default="sqlite")
    parser.add_argument("--kills", type=int, default=1000, help="of services and of databases")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", choices=(*PLANTED, _BELOW), help="a bug that has to be found")
    parser.add_argument("--log", help="a folder; by default a new one, of which nothing is kept")
    asked = parser.parse_args()
    if asked.planted and (asked.planted == _BELOW) != (asked.on == "faulty-disk"):
        parser.error(f"--planted {asked.planted} cannot be planted in --on {asked.on}")
    return asked
