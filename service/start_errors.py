"""What ends a process that cannot start or go on, told on standard error."""

from __future__ import annotations

import traceback

import typer
from fastapi_problem.error import StatusProblem

from adapters.backbones import BackboneError
from service.storage.errors import StorageError

EXPECTED: tuple[type[Exception], ...] = (BackboneError, StorageError, StatusProblem)
"""What the user can mend, as the message says how; anything else is a defect of ours."""


def tell(error: Exception, expected: tuple[type[Exception], ...] = EXPECTED) -> None:
    """Print an error's message; a traceback before it if the error is not an expected one."""
    if not isinstance(error, expected):
        traceback.print_exception(error)
    message = error.detail if isinstance(error, StatusProblem) else error
    typer.secho(f"error: {message}", err=True, fg=typer.colors.RED)
