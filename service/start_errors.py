"""What ends a process that cannot start or go on, told on standard error."""

from __future__ import annotations

import logging
import traceback

import typer
from fastapi_problem.error import StatusProblem

from adapters.backbone_errors import BackboneError
from service.storage.errors import Damaged, StorageError
from service.telemetry.logs import lines_are_json
from service.telemetry.tracing import TelemetryError

logger = logging.getLogger("handful")

EXPECTED: tuple[type[Exception], ...] = (
    BackboneError,
    Damaged,
    StorageError,
    StatusProblem,
    TelemetryError,
)
"""What the user can mend, as the message says how; anything else is a defect of ours."""


def tell(error: Exception, expected: tuple[type[Exception], ...] = EXPECTED) -> None:
    """Print an error's message; a traceback before it if the error is not an expected one."""
    message = error.detail if isinstance(error, StatusProblem) else error
    if isinstance(error, Damaged):
        message = (
            f"the database is damaged: {error}. handful check says where and what to do; keep the"
            " file, and restore it from a backup"
        )
    if lines_are_json():
        defect = None if isinstance(error, expected) else error
        logger.critical("%s", message, exc_info=defect)
        return
    if not isinstance(error, expected):
        traceback.print_exception(error)
    typer.secho(f"error: {message}", err=True, fg=typer.colors.RED)
