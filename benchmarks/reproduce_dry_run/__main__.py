"""``python -m benchmarks.reproduce_dry_run``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.published_sets.sets import SETS
from benchmarks.reproduce_dry_run.page import PAGE, Command, commands
from benchmarks.reproduce_dry_run.running import run

ROOT = PAGE.parents[1]


def chosen(page: str, sets: Sequence[str]) -> list[Command]:
    """The commands of a page but for those under the headings of other data sets."""
    others = {of.title for name, of in SETS.items() if name not in sets}
    return [command for command in commands(page) if command.heading not in others]


def environment(folder: Path, sets: Sequence[str]) -> dict[str, str]:
    """Environment of the commands: stand-ins first in the PATH, and steps of a few images."""
    path = [str(ROOT), str(ROOT / "client"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(path),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "SETS": " ".join(sets),
        "WORKERS": "0",
        "SUPERVISED": "--batch 4",
        "DINO": "--batch 2 --accumulate 1 --epochs 1",
    }


def dry_run(folder: Path, sets: Sequence[str], *, tiny: bool) -> int:
    """Prepare, run and tell; returns an exit status."""
    # In a process of its own: what this one has taken would count for all that it starts.
    size = ["--tiny"] if tiny else []
    command = [sys.executable, "-m", "benchmarks.reproduce_dry_run.prepare", folder, *sets, *size]
    subprocess.run(command, check=True, cwd=ROOT)
    status, seconds = 0, 0.0
    for ran in run(
        chosen(PAGE.read_text(encoding="utf-8"), sets), folder, environment(folder, sets)
    ):
        print(f"{ran.seconds:8.1f} s {ran.mebibytes:7.0f} MiB  {ran.command.text}", flush=True)
        status, seconds = ran.status, seconds + ran.seconds
        if status != 0:
            print(f"{ran.output}\nerror: the command above ended with status {status}")
        last = ran.output
    if status == 0:
        print(f"{seconds:8.1f} s in all. The last command printed:\n{last}")
    return status


def main() -> int:
    """Run the page's commands."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduce_dry_run")
    parser.add_argument("--sets", default=",".join(SETS), help="all by default")
    parser.add_argument("--tiny", action="store_true", help="a tiny ViT in place of ViT-B/16")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work here, and keep it")
    arguments = parser.parse_args()
    sets = arguments.sets.split(",")
    if unknown := [name for name in sets if name not in SETS]:
        parser.error(f"no data set {unknown[0]!r}; there are {', '.join(SETS)}")
    if arguments.keep is not None:
        if arguments.keep.exists():
            parser.error(f"{arguments.keep} is there already; name another folder")
        return dry_run(arguments.keep.resolve(), sets, tiny=arguments.tiny)
    with tempfile.TemporaryDirectory() as folder:
        return dry_run(Path(folder), sets, tiny=arguments.tiny)


if __name__ == "__main__":
    sys.exit(main())
