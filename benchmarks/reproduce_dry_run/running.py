"""Commands run one after the other, with the time and the memory that each takes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.reproduce_dry_run.page import Command


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has run.

    Attributes:
        command: Of the page.
        seconds: Elapsed.
        mebibytes: Peak of the resident memory of its largest process.
        output: What it printed.
        status: 0 if all went well.
    """

    command: Command
    seconds: float
    mebibytes: float
    output: str
    status: int


def run(commands: Sequence[Command], folder: Path, environment: Mapping[str, str]) -> Iterator[Ran]:
    """Run commands by bash, until one fails.

    What begins with ``export`` holds for all that follow.

    Args:
        commands: In their order.
        folder: Where they run.
        environment: Of the processes.
    """
    exports: list[str] = []
    for number, command in enumerate(commands):
        script = "\n".join(["set -euo pipefail", *exports, command.text])
        log = folder / f".output-{number:03d}"
        began = perf_counter()
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            # Of the process and of all that it has waited for: the largest one counts.
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if command.text.startswith("export "):
            exports.append(command.text)
        yield Ran(
            command,
            perf_counter() - began,
            usage.ru_maxrss / 1024,
            log.read_text(errors="replace"),
            process.returncode,
        )
        if process.returncode != 0:
            return
