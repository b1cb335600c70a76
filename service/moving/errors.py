"""Why a database cannot be moved, backed up or restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi_problem.error import StatusProblem
from sqlalchemy.exc import SQLAlchemyError

from service.problems import StorageFull, StorageUnavailable
from service.storage.errors import Damaged, Outdated, StorageError


class MovingError(StorageError):
    """A database was not moved; the message says why, and what to do."""


class BackupError(MovingError):
    """A file is no whole backup."""


@contextmanager
def told_as_moving_errors(name: str) -> Iterator[None]:
    """Failures of a database come as errors that name it.

    Args:
        name: The database, without a password.

    Raises:
        MovingError: As it says.
    """
    try:
        yield
    except StorageFull as error:
        raise MovingError(
            f"there is no room on the disk of {name} ({_said(error.__cause__ or error)}); nothing "
            "was left there"
        ) from error
    except StorageUnavailable as error:
        cause = error.__cause__
        told = error if cause is None or isinstance(cause, StatusProblem) else cause
        raise MovingError(f"{name}: {_said(told)}") from error
    except Damaged as error:
        raise MovingError(f"{name} is damaged: {error}") from error
    except Outdated as error:  # a row that is referred to is missing, or is there twice
        raise MovingError(f"{name}: {_said(error.__cause__ or error)}") from error
    except SQLAlchemyError as error:
        raise MovingError(f"{name}: {_said(getattr(error, 'orig', None) or error)}") from error


def _said(error: BaseException) -> str:
    """In one line; drivers tell of a failure in several."""
    told = error.detail if isinstance(error, StatusProblem) else str(error)
    return " ".join(str(told).split())[:500]
