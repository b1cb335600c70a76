"""What all training commands have in common: checks of arguments, the run, its last words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from service.training.launcher import is_first
from service.training.run_folder import state_of

if TYPE_CHECKING:
    from service.settings import Settings
    from service.training.runner import Outcome, TrainingRun


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
    state = state_of(out)
    if state == "finished" and resume:
        raise typer.BadParameter(f"the run in {out} is finished, there is nothing to resume")
    if state is not None and not resume:
        held = "a finished run" if state == "finished" else "a run that is not finished"
        mend = "" if state == "finished" else "go on with it with --resume, or "
        raise typer.BadParameter(f"{out} holds {held}; {mend}name another folder with --out")


def settings_for(*, backbone: str | None = None, device: str | None = None) -> Settings:
    """The service's settings with the options of a run on top; a GPU that is asked for is there.

    Raises:
        typer.BadParameter: It is not, or the device is none that is known.
    """
    import torch

    from service.cli.configuration import settings_with_options

    settings = settings_with_options(backbone=backbone, device=device)
    if settings.device not in {None, "cpu", "cuda"}:
        raise typer.BadParameter(f"--device takes cpu or cuda, not {settings.device!r}")
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("PyTorch finds no GPU here; leave out --device, or say cpu")
    return settings


def training_console() -> Console:
    """Where a run tells how it goes; of several processes the first one does."""
    return Console(stderr=True, quiet=not is_first())


def carry_out(asked: TrainingRun, console: Console) -> Outcome:
    """Do what a command was asked for, and say how many images were broken.

    Raises:
        typer.Exit: It cannot be done; the message says why.
    """
    from service.cli.failure import fail
    from service.training.runner import run

    try:
        outcome = run(asked, console)
    except Exception as error:
        fail(error)
    if broken := outcome.unreadable:
        console.print(
            f"{len(broken)} images could not be read and were replaced by others, the first is "
            f"{broken[0]}",
            highlight=False,
            soft_wrap=True,
        )
    return outcome


def tell_end(console: Console, outcome: Outcome, backbone: str, option: str) -> None:
    """Say how a run went, and how to serve what it learned.

    Args:
        console: Where.
        outcome: Of the run.
        backbone: Name of the backbone.
        option: Of ``handful serve``, for what was learned.
    """
    progress = outcome.progress
    console.print(
        f"{progress.step} steps in {progress.seconds:.0f} s, loss {progress.losses[0]:.3f} to "
        f"{progress.losses[-1]:.3f}; serve it with: handful serve --backbone {backbone} "
        f"{option} {outcome.path}",
        highlight=False,
        soft_wrap=True,
    )
