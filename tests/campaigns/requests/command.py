"""A million hostile requests to a real service: what is answered, and what becomes of it.

    python -m tests.campaigns.requests --requests 1000000 --seed 0 --log FOLDER
    python -m tests.campaigns.requests --requests 20000 --planted leak
    python -m tests.campaigns.requests --replay FOLDER/faults/0-open-3.bin

Valid requests of every operation of the OpenAPI document and of all integrations are made wrong:
their request lines, paths, queries, header fields, credentials, JSON, forms, zips, pictures and
codings; others are ill framed, or cut off. Goes on in batches, each with a service of its own, of
which one answers everybody, one asks for keys, and one is behind a proxy that signs users in. What
must not be:

- an answer from 500 on but 503, 504 and 507, or one that is no HTTP/1.1 to a strict reader, or a
  refusal that is no document;
- a whole request without an answer, more answers than requests, a connection that ends before;
- an end of the process, a traceback in its log, ``/healthz`` later than a second;
- growth of memory: see ``memory.py``; what requests have made is deleted after each round;
- another answer than before to a query that is known.

What a batch has shown is one line of FOLDER/found.jsonl, and a batch that is there already is not
run again, so whatever is broken off goes on where it was. What was sent when something was found
lies in FOLDER/faults, and can be sent again to a new service.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.campaigns.found_log import FoundLog
from tests.campaigns.requests.campaign import Found, Plan, run
from tests.campaigns.requests.memory import MIB
from tests.campaigns.requests.planted import PLANTED
from tests.campaigns.requests.replaying import Kept, replay
from tests.campaigns.requests.service import MODES
from tests.tiny_vit import write_tiny_vit


def main() -> int:
    """Run what is not in the log yet; the status is 1 where something was found."""
    asked = _arguments()
    # Read by the allocator of the fork server, before anything runs: what each of many threads
    # keeps for itself, in pages that are half empty, would be taken for growth.
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    with tempfile.TemporaryDirectory() as place:
        backbone = f"local-dir:{write_tiny_vit(Path(place), 0)}"
        if asked.replay is not None:
            return replay(asked.replay, backbone)
        return _batches(asked, backbone)


def _batches(asked: argparse.Namespace, backbone: str) -> int:
    log = FoundLog(asked.log, "requests", "batch")
    done = log.lines
    planted = PLANTED.get(asked.planted)
    shown = []
    for number, left in enumerate(range(asked.requests, 0, -asked.batch)):
        mode = asked.mode or MODES[number % len(MODES)]
        plan = Plan(mode=mode, requests=min(asked.batch, left), seed=f"{asked.seed} {number}")
        name = f"{mode} {asked.planted or 'as it is'} {plan.seed}, {plan.requests} requests"
        if name not in done:
            kept = Kept(log.folder / "faults", f"{number}-{mode}", mode)

            def progress(found: Found, kept: Kept = kept) -> None:
                kept.add(found.tally.faults)
                print(_progress(found), flush=True)

            with tempfile.TemporaryDirectory() as folder:
                found = run(plan, Path(folder), backbone, planted, progress)
                kept.add(found.faults)
                if found.faults:
                    kept.add_log(Path(folder) / "server.log")
            log.add(_line(name, found))
            print(_told(done[name]), flush=True)
        shown.append(done[name])
    return _summary(shown)


def _line(name: str, found: Found) -> dict[str, Any]:
    return {
        "batch": name,
        "sent": dict(found.tally.sent),
        "answers": dict(sorted(found.tally.answers.items())),
        "seconds": round(found.seconds, 1),
        "processor": round(found.processor, 1),
        "slowest": round(found.tally.slowest, 2),
        "health": round(found.health, 3),
        "health_own": round(found.health_own, 3),
        "memory": [one >> 20 for one in found.memory],
        "grown_mib": None if found.grown is None else round(found.grown / MIB, 1),
        "bytes_a_request": round(found.slope, 1),
        "faults": [one.what[:2000] for one in found.faults],
    }


def _told(line: dict[str, Any]) -> str:
    sent = sum(line["sent"].values())
    memory = line["memory"] or [0]
    told = (
        f"{line['batch']}: {sent} sent in {line['seconds']} s,"
        f" {line['processor']} of a processor; memory {memory[0]} MiB, then"
        f" {memory[-1]}, grown {_grown([line])}; /healthz {_health([line])}"
    )
    return "\n  ".join([told, *line["faults"]])


def _progress(found: Found) -> str:
    return (
        f"  {found.tally.sent.total()} requests, {found.seconds:.0f} s, {found.processor:.0f} of a"
        f" processor, {found.memory[-1] >> 20} MiB, {len(found.tally.faults)} faults"
    )


def _summary(lines: list[dict[str, Any]]) -> int:
    sent: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for line in lines:
        sent.update(line["sent"])
        answers.update({str(status): number for status, number in line["answers"].items()})
    print(f"{len(lines)} batches, {sent.total()} requests: {dict(sent)}")
    print(", ".join(f"{status}: {number}" for status, number in sorted(answers.items())))
    print(f"slowest /healthz: {_health(lines)}")
    print(f"grown at most: {_grown(lines)}")
    faults = [fault for line in lines for fault in line["faults"]]
    print(f"{len(faults)} faults")
    return 1 if faults else 0


def _health(lines: list[dict[str, Any]]) -> str:
    slowest, own = (max(line[one] for line in lines) for one in ("health", "health_own"))
    return f"{slowest} s, without waits of its event loop for a processor {own} s"


def _grown(lines: list[dict[str, Any]]) -> str:
    """The most; a batch of fewer than four rounds does not show it."""
    measured = [line["grown_mib"] for line in lines if line["grown_mib"] is not None]
    told = f"{max(measured)} MiB" if measured else "not measured"
    return f"{told} ({len(measured)} of {len(lines)} batches)" if len(lines) > 1 else told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=50_000, help="requests to one service")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", choices=MODES, help="of access; in turns by default")
    parser.add_argument("--planted", choices=tuple(PLANTED), help="a bug that has to be found")
    parser.add_argument("--log", help="a folder; by default a new one")
    parser.add_argument("--replay", type=Path, help="a file of faults, to be sent again")
    return parser.parse_args()
