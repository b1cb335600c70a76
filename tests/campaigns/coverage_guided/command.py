"""Coverage-guided fuzzing of parsers that are written in Python, by libFuzzer (Atheris).

    pip install atheris==3.0.0
    python -m tests.campaigns.coverage_guided TARGET --seconds 600 [--keep FOLDER]
    python -m tests.campaigns.coverage_guided all --seconds 120
    python -m tests.campaigns.coverage_guided TARGET --replay FILE

Bytes that reach new branches of ``service`` are kept and mutated further, from a few seeds that are
made by code (``targets.py``). What must not be: an error that no caller makes a refusal of, more
than ten seconds for an input, more than 2 GiB of memory. Inputs of which one is true are left in
FOLDER. Atheris is no dependency of the tests: it has wheels for Python 3.11 up to 3.0.0.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.coverage_guided.targets import TARGETS, Target
from tests.campaigns.requests.json_text import mutated

# Packages whose branches count.
_COUNTED = ["service"]
_INPUT_SECONDS, _MEMORY_MIB, _LONGEST = 10, 2048, 16_384


def main() -> int:
    """Fuzz one target after the other; the status is 0 where nothing was found."""
    asked = _arguments()
    if asked.replay is not None:
        TARGETS[asked.target].parse(asked.replay.read_bytes())
        print("nothing is wrong with it")
        return 0
    names = list(TARGETS) if asked.target == "all" else [asked.target]
    asked.keep.mkdir(parents=True, exist_ok=True)
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=_COUNTED):
        for name in names:
            for content in TARGETS[name].seeds():
                TARGETS[name].parse(content)  # whatever it imports is counted
    failed = [name for name in names if _in_a_process(atheris, name, asked)]
    print(f"{len(names)} targets; found something in: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _in_a_process(atheris: Any, name: str, asked: argparse.Namespace) -> int:
    """Fuzz in a process that is forked, as libFuzzer ends the one that it is in; its status."""
    with tempfile.TemporaryDirectory() as place:
        corpus, told = Path(place) / "corpus", Path(place) / "told"
        corpus.mkdir()
        if (pid := os.fork()) == 0:
            output = os.open(told, os.O_WRONLY | os.O_CREAT)
            for stream in (1, 2):
                os.dup2(output, stream)
            try:
                _fuzz(atheris, name, corpus, asked)
            except BaseException:
                traceback.print_exc()
            finally:  # whatever has happened: the rest is the parent's
                sys.stderr.flush()
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        lines = told.read_text(errors="replace").splitlines()
    counted = [line.strip() for line in lines if "cov:" in line]
    print(f"{name}: status {status}; {counted[-1] if counted else 'nothing was counted'}")
    if status:
        print(*lines[-30:], sep="\n")
    sys.stdout.flush()
    return status


def _fuzz(atheris: Any, name: str, corpus: Path, asked: argparse.Namespace) -> None:
    target = TARGETS[name]
    for place, content in enumerate(target.seeds()):
        (corpus / str(place)).write_bytes(content)
    options = [
        f"-max_total_time={asked.seconds}",
        f"-timeout={_INPUT_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MIB}",
        f"-max_len={_LONGEST}",
        f"-seed={asked.seed}",
        f"-artifact_prefix={asked.keep}{os.sep}{name}-",
        str(corpus),
    ]
    atheris.Setup(
        ["fuzz", *options],
        lambda data: _parse(target, data, asked.keep / f"{name}-error"),
        custom_mutator=_of_json(atheris) if target.is_json else None,
    )
    atheris.Fuzz()


def _parse(target: Target, data: bytes, place: Path) -> None:
    """Parse an input, which is kept where it ends with a defect; of others libFuzzer keeps it."""
    try:
        target.parse(data)
    except BaseException:
        place.write_bytes(data)
        raise


def _of_json(atheris: Any) -> Callable[[bytes, int, int], bytes]:
    """A mutator of documents, of which half are changed by their values and half by their bytes."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < 0.5:
            try:
                return mutated(json.loads(data), draw)[:most]
            except (ValueError, RecursionError):
                pass
        return bytes(atheris.Mutate(data, most))

    return mutate


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=(*TARGETS, "all"))
    parser.add_argument("--seconds", type=int, default=60, help="of a target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "found")
    parser.add_argument("--replay", type=Path, help="a file that was kept")
    return parser.parse_args()
