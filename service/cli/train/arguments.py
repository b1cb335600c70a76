"""What the arguments of all training commands have in common."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import typer
from rich.console import Console

_RUNNING, _FINISHED = "checkpoint.pt", "training.json"


class Precision(StrEnum):
    """What passes are computed in."""

    NO = "no"
    BF16 = "bf16"
    FP16 = "fp16"


def check_out(out: Path, resume: bool) -> None:
    """See that a run's folder holds no other run, unless that one is to be resumed.

    Raises:
        typer.BadParameter: It holds one, or a finished one is to be resumed.
    """
    running = (out / _RUNNING).is_file()
    finished = (out / _FINISHED).is_file() and not running
    if finished and resume:
        raise typer.BadParameter(f"the run in {out} is finished, there is nothing to resume")
    if not resume and (running or finished):
        state = "a finished run" if finished else "a run that is not finished"
        mend = "" if finished else "go on with it with --resume, or "
        raise typer.BadParameter(f"{out} holds {state}; {mend}name another folder with --out")


def tell_broken(console: Console, broken: Sequence[object]) -> None:
    """Say how many images could not be read and were replaced."""
    if broken:
        console.print(
            f"{len(broken)} images could not be read and were replaced by others, the first is "
            f"{broken[0]}",
            highlight=False,
            soft_wrap=True,
        )
