"""Records what a version of the code answers, and compares two recordings.

    python -m tests.campaigns.golden record OUT --code DIR --sets DIR...
    python -m tests.campaigns.golden compare A B

Only outer interfaces are used (the command line, HTTP on a port, files that commands write), so
that the same script records any version. Each recording computes its own features, which another
recording into the same folder uses again, and compiles its own models. Comparing ends with 1 if
anything differs beyond ``--rounding``, which is none by default.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from tests.campaigns.golden.code import Code
from tests.campaigns.golden.commands import commands
from tests.campaigns.golden.compare import compare
from tests.campaigns.golden.evaluation import evaluation
from tests.campaigns.golden.recording import Recording
from tests.campaigns.golden.training import training
from tests.campaigns.golden.upgrade import upgrade
from tests.campaigns.golden.walk import walk

_WARM = {"upgrade", "evaluate", "cli"}
"""Parts that begin with a compiled model; the others compile their own."""
_PACKAGES = ("torch", "openvino", "faiss-cpu", "numpy", "open_clip_torch", "pillow", "fastapi")


def record(
    out: Path, code_folder: Path, sets: list[Path], database: Path | None, parts: list[str]
) -> None:
    """Record these parts."""
    recording = Recording(out)
    code = Code(code_folder.resolve(), recording.work)
    code.check()
    sets = [folder.resolve() for folder in sets]
    makers: dict[str, Callable[[], None]] = {
        "http": lambda: walk(code, recording),
        "upgrade": lambda: upgrade(code, recording, database or out),
        "training": lambda: training(code, recording),
        "evaluate": lambda: evaluation(code, recording, sets),
        "cli": lambda: commands(code, recording),
    }
    if not sets:
        del makers["evaluate"]
    about = recording.folder / "about.json"
    seconds = json.loads(about.read_text())["seconds"] if about.exists() else {}
    for part, make in makers.items():
        if parts and part not in parts:
            continue
        shutil.rmtree(recording.folder / "record" / part, ignore_errors=True)
        began = perf_counter()
        code.forget_compiled()
        if part in _WARM:
            code.warm()
        make()
        seconds[part] = round(perf_counter() - began, 1)
        print(f"{part}: {seconds[part]} s", flush=True)
        about.write_text(json.dumps(_about(code) | {"seconds": seconds}, indent=1) + "\n")


def _about(code: Code) -> dict[str, object]:
    git = ("git", "-C", str(code.folder))
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    state = subprocess.run([*git, "status", "-s"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "changed files": state.stdout.splitlines(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def main() -> int:
    """Read the arguments; 1 if a comparison found differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_AsWritten)
    actions = parser.add_subparsers(dest="action", required=True)
    recorder = actions.add_parser("record", help="write down what a version answers")
    recorder.add_argument("out", type=Path)
    recorder.add_argument("--code", type=Path, required=True, help="folder of the version")
    recorder.add_argument("--sets", type=Path, nargs="+", default=[], help="folders of images")
    recorder.add_argument(
        "--database",
        type=Path,
        metavar="RECORDING",
        help="the part upgrade opens the database of this recording; its own by default",
    )
    recorder.add_argument(
        "--parts",
        nargs="+",
        default=[],
        choices=["http", "upgrade", "training", "evaluate", "cli"],
        help="all by default",
    )
    comparer = actions.add_parser("compare", help="print what differs")
    comparer.add_argument("one", type=Path)
    comparer.add_argument("other", type=Path)
    comparer.add_argument("--rounding", type=float, default=0.0, help="none by default")
    given = parser.parse_args()
    if given.action == "compare":
        return 0 if compare(given.one, given.other, given.rounding) else 1
    record(given.out, given.code, given.sets, given.database, given.parts)
    return 0


class _AsWritten(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description."""


if __name__ == "__main__":
    sys.exit(main())
