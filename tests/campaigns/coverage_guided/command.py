"""Coverage-guided fuzzing of parsers that are written in Python, by libFuzzer (Atheris).

    pip install atheris==3.0.0
    python -m tests.campaigns.coverage_guided TARGET --seconds 600 [--keep FOLDER]
    python -m tests.campaigns.coverage_guided all --seconds 120
    python -m tests.campaigns.coverage_guided TARGET --replay FILE

Bytes that reach new branches of ``service`` are kept and mutated further, from a few seeds that are
made by code (``targets.py``). What must not be: an error that no caller makes a refusal of, more
than two seconds for an input, more than 2 GiB of memory. Inputs of which one is true are left in
FOLDER. Atheris is no dependency of the tests: it has wheels for Python 3.11 up to 3.0.0.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.coverage_guided.targets import TARGETS
from tests.campaigns.requests.json_text import mutated

# Packages whose branches count.
_COUNTED = ["service"]
_INPUT_SECONDS, _MEMORY_MIB, _LONGEST = 2, 2048, 16_384


def main() -> int:
    """Fuzz one target, or each in a process of its own; the status is 0 where nothing was found."""
    asked = _arguments()
    if asked.replay is not None:
        TARGETS[asked.target].parse(asked.replay.read_bytes())
        print("nothing is wrong with it")
        return 0
    if asked.target != "all":
        return _fuzz(asked.target, asked.seconds, asked.keep, asked.seed)
    failed = [name for name in TARGETS if _in_a_process(name, asked)]
    print(f"{len(TARGETS)} targets; found something in: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _in_a_process(name: str, asked: argparse.Namespace) -> int:
    begun = time.monotonic()
    options = [
        "--seconds",
        str(asked.seconds),
        "--keep",
        str(asked.keep),
        "--seed",
        str(asked.seed),
    ]
    command = [sys.executable, "-m", "tests.campaigns.coverage_guided", name, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    counted = [line for line in lines if "cov:" in line]
    print(f"{name}: status {done.returncode}, {time.monotonic() - begun:.0f} s;", *counted[-1:])
    if done.returncode:
        print(*lines[-30:], sep="\n")
    sys.stdout.flush()
    return done.returncode


def _fuzz(name: str, seconds: int, keep: Path, seed: int) -> int:
    """Fuzz in this process, which ends with it: libFuzzer does not return."""
    atheris = importlib.import_module("atheris")
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        with atheris.instrument_imports(include=_COUNTED):
            for place, content in enumerate(target.seeds()):
                (Path(corpus) / str(place)).write_bytes(content)
                target.parse(content)  # whatever it imports is counted
        keep.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={_INPUT_SECONDS}",
            f"-rss_limit_mb={_MEMORY_MIB}",
            f"-max_len={_LONGEST}",
            f"-seed={seed}",
            f"-artifact_prefix={keep}{os.sep}{name}-",
            "-print_final_stats=1",
            corpus,
        ]
        atheris.Setup(
            ["fuzz", *options],
            lambda data: target.parse(data) and None,
            custom_mutator=_of_json(atheris) if target.is_json else None,
        )
        atheris.Fuzz()
    return 0


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
