"""Exit status and message of a command that cannot go on."""

from __future__ import annotations

from typing import NoReturn

import typer

from adapters.training.training_errors import TrainingError
from service import start_errors


def fail(error: Exception) -> NoReturn:
    """Say what is wrong and exit with status 1; with a traceback if it is a defect of ours."""
    start_errors.tell(error, (*start_errors.EXPECTED, TrainingError))
    raise typer.Exit(1)
