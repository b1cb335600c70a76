"""How commands end when they cannot go on."""

from __future__ import annotations

import traceback
from typing import NoReturn

import typer
from fastapi_problem.error import StatusProblem

from adapters.backbones import BackboneError
from adapters.corrections.bottleneck.insertion_points import NoInsertionPointError
from adapters.training.training_errors import TrainingError
from service.storage.errors import StorageError


def fail(error: Exception) -> NoReturn:
    """Say what is wrong and exit with status 1; with a traceback if it is a defect of ours."""
    known = (BackboneError, NoInsertionPointError, StorageError, StatusProblem, TrainingError)
    if not isinstance(error, known):
        traceback.print_exception(error)
    message = error.detail if isinstance(error, StatusProblem) else error
    typer.secho(f"error: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1)
